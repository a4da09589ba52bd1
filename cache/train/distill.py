#!/usr/bin/env python3
"""Makes the table to begin with out of a sentence transformer, without any label.

    distill.py TEACHER_DIR SENTENCES.txt OUT.safetensors [--dims 256] [--epochs 3]

Each word piece goes through the teacher alone; its vector is turned into the principal directions of the sentences' vectors
and shortened the more, the commoner the piece is. Then the table is moved until the means of sentences' rows lie where the
teacher puts the sentences (`table.learn`). OUT has 8-bit codes and one scale a row.
"""
import argparse
import os

import numpy as np
import torch

import common
import table

COMMON = 1e-3  # a piece that makes this share of all pieces has half the length of a rare one


class Teacher:
    """all-MiniLM-L6-v2 or a model like it: mean of the last layer, unit length."""

    def __init__(self, directory):
        os.environ["HF_HUB_OFFLINE"] = "1"
        from transformers import AutoModel

        self.model = AutoModel.from_pretrained(directory).eval()
        self.tokenizer = common.tokenizer(os.path.join(directory, "tokenizer.json"))

    def vectors(self, rows, batch=256):
        """Of rows of ids, the special ones at both ends included."""
        out = np.zeros((len(rows), self.model.config.hidden_size), np.float32)
        order = np.argsort([len(row) for row in rows], kind="stable")
        with torch.inference_mode():
            for s in range(0, len(order), batch):
                at = order[s : s + batch]
                longest = max(len(rows[i]) for i in at)
                ids, mask = torch.zeros(len(at), longest, dtype=torch.long), torch.zeros(len(at), longest)
                for line, i in enumerate(at):
                    ids[line, : len(rows[i])], mask[line, : len(rows[i])] = torch.tensor(rows[i]), 1
                hidden = self.model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
                mean = (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
                out[at] = torch.nn.functional.normalize(mean, dim=1).numpy()
        return out


def main():
    parser = argparse.ArgumentParser()
    for name in ("teacher", "sentences", "out"):
        parser.add_argument(name)
    parser.add_argument("--dims", type=int, default=256)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    teacher = Teacher(options.teacher)
    with open(options.sentences, encoding="utf-8") as lines:
        sentences = [text for text in map(str.strip, lines) if text]
    framed = [row.ids[:128] for row in teacher.tokenizer.encode_batch(sentences)]
    start, end = framed[0][0], framed[0][-1]
    wanted = teacher.vectors(framed)
    moment = wanted.T.astype(np.float64) @ wanted
    directions = np.linalg.eigh(moment)[1][:, ::-1][:, : options.dims].astype(np.float32)
    wanted = wanted @ directions
    wanted /= np.linalg.norm(wanted, axis=1, keepdims=True)
    known = teacher.tokenizer.get_vocab()
    alone = teacher.vectors([[start, piece, end] for piece in range(len(known))])
    rows = common.pieces(teacher.tokenizer, sentences)
    often = np.bincount(np.concatenate(rows), minlength=len(known)) + 1.0
    first = (alone - alone.mean(0)) @ directions * (COMMON / (COMMON + often / often.sum()))[:, None]
    for piece, at in known.items():
        if piece.startswith("[") and piece.endswith("]") and len(piece) > 2:
            first[at] = 0
    codes, scale = common.quantise(table.learn(first.astype(np.float32), rows, wanted, options.epochs))
    common.write_safetensors(options.out, {"embeddings": codes, "weights": scale})


if __name__ == "__main__":
    main()
