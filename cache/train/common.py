"""What all steps share: labelled pairs, folds by connected component, word pieces, figures, files of tensors."""
import collections
import hashlib
import json
import os
import struct
import unicodedata

import numpy as np

FOLDS = 4
HERE = os.path.dirname(os.path.abspath(__file__))
MODEL = os.path.join(HERE, "..", "model")
UNKNOWN = 100


def read_pairs(path):
    """Lines of {"a", "b", "same"} and perhaps "kind"."""
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def plain(text):
    """The node a question is in the graph of pairs: its letters and digits."""
    folded = unicodedata.normalize("NFKC", text).lower()
    return " ".join("".join(c if c.isalnum() else " " for c in folded).split())


def component_folds(pairs, edits, count=FOLDS):
    """A fold for each pair, so that no question is in two folds. Edits go where the question they were made of is."""
    parent = {}

    def find(x):
        parent.setdefault(x, x)
        while parent[x] != x:
            parent[x] = parent[parent[x]]
            x = parent[x]
        return x

    for pair in pairs:
        parent[find(plain(pair["a"]))] = find(plain(pair["b"]))

    def fold(text):
        root = hashlib.sha256(find(plain(text)).encode()).digest()
        return root[0] * 256 + root[1] if count is None else int.from_bytes(root[:4], "little") % count

    return np.array([fold(p["a"]) for p in pairs]), np.array([fold(p["a"]) for p in edits])


def tokenizer(path):
    """WordPiece as BERT's uncased models read it, without the special tokens, neither padded nor cut."""
    from tokenizers import Tokenizer

    made = Tokenizer.from_file(path)
    made.no_padding()
    made.no_truncation()
    return made


def pieces(made, texts, most=256):
    """Ids of word pieces, those of unknown words left out; [0] when nothing is left."""
    rows = made.encode_batch(texts, add_special_tokens=False)
    return [[i for i in row.ids if i != UNKNOWN][:most] or [0] for row in rows]


def auc(score, same):
    order = np.argsort(score, kind="stable")
    rank = np.empty(len(score))
    rank[order] = np.arange(1, len(score) + 1)
    yes = same.sum()
    return (rank[same].sum() - yes * (yes + 1) / 2) / (yes * (len(same) - yes))


def line_through(logit, likely, rounds=25):
    """Slope and shift with which `logit` says best what is `likely` (logistic regression by Newton's method)."""
    inputs, line_ = np.column_stack([logit, np.ones(len(logit))]).astype(float), np.array([1.0, 0.0])
    for _ in range(rounds):
        said = 1 / (1 + np.exp(-inputs @ line_))
        steep = (inputs * (said * (1 - said))[:, None]).T @ inputs
        line_ += np.linalg.solve(steep + 1e-6 * np.eye(2), inputs.T @ (likely - said))
    return line_


def threshold_at(score, same, share):
    """The score above which exactly `share` of the different pairs lie."""
    wrong = np.sort(score[~same])[::-1]
    return float(wrong[int(share * len(wrong))])


def recall_at(score, same, share):
    return float((score[same] > threshold_at(score, same, share)).mean())


def line(name, score, same):
    same = same.astype(bool)
    cells = " ".join(f"{100 * recall_at(score, same, s):5.1f}" for s in (0.001, 0.005, 0.01, 0.02))
    return f"{name:44s} auc {auc(score, same):.4f} recall at .1/.5/1/2 % false: {cells}"


def write_safetensors(path, tensors, metadata=None):
    """Tensors one after another in the given order; numpy arrays of int8, int32 or float32."""
    kinds = {"int8": "I8", "int32": "I32", "float32": "F32"}
    header, blobs, at = {}, [], 0
    if metadata:
        header["__metadata__"] = {k: str(v) for k, v in metadata.items()}
    for name, array in tensors.items():
        array = np.ascontiguousarray(array)
        blob = array.tobytes()
        header[name] = {"dtype": kinds[array.dtype.name], "shape": list(array.shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def quantise(table):
    """Rows as 8-bit codes and one scale each. Rows of zeros stay zeros."""
    scale = np.abs(table).max(1) / 127.0
    codes = np.round(table / np.maximum(scale, 1e-12)[:, None]).clip(-127, 127).astype(np.int8)
    return codes, scale.astype(np.float32)


def count_by(values):
    return dict(sorted(collections.Counter(values).items()))
