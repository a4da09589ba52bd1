"""Pairs that nobody labelled: questions with those nearest to them, which is what a cache looks up.

Labelled pairs are mostly hard ones that people chose; trees that know nothing else take a neighbour that shares little but
its shape with the question for the same now and then. So trees also see neighbours, with the probabilities that the teacher
(`teacher.py`) gives them. Both questions of such a pair are of one fold, and neighbours by the table tuned without it.
"""
import json
import os

import numpy as np

import common
from common import FOLDS

NEAREST = 8  # of so many of each question,
TAKEN = 4  # so many at random
LEAST_COSINE = 0.55
MOST_OF_FOLD = 36_000


def find(data):
    """Writes `neighbours.jsonl`, lines of {"fold", "a", "b", "cosine"}; no pair that has a label is among them."""
    import table

    path = data.path("neighbours.jsonl")
    if os.path.exists(path):
        return
    rng = np.random.default_rng(5)
    known = set()
    for i in np.flatnonzero(data.real):
        a, b = common.plain(data.rows[i]["a"]), common.plain(data.rows[i]["b"])
        known |= {(a, b), (b, a)}
    with open(path + ".part", "w", encoding="utf-8") as out:
        for fold in range(FOLDS):
            made, questions = data.tuned((fold,)), {}
            for i in np.flatnonzero(data.real & (data.fold == fold)):
                for text, row in ((data.rows[i]["a"], data.a[i]), (data.rows[i]["b"], data.b[i])):
                    questions.setdefault(common.plain(text), (text, row))
            keys, kept = list(questions), []
            vectors = table.embed(made, [row for _, row in questions.values()])
            for s in range(0, len(keys), 1000):
                cosine = vectors[s : s + 1000] @ vectors.T
                cosine[np.arange(len(cosine)), np.arange(s, s + len(cosine))] = -1
                nearest = np.argpartition(-cosine, NEAREST, 1)[:, :NEAREST]
                for r, row in enumerate(nearest):
                    for j in rng.permutation(row)[:TAKEN]:
                        pair = (keys[s + r], keys[j])
                        if cosine[r, j] < LEAST_COSINE or pair in known:
                            continue
                        known |= {pair, pair[::-1]}
                        a, b = (questions[key][0] for key in pair)
                        kept.append({"fold": fold, "a": a, "b": b, "cosine": round(float(cosine[r, j]), 4)})
            for at in rng.permutation(len(kept))[:MOST_OF_FOLD]:
                out.write(json.dumps(kept[at], ensure_ascii=False) + "\n")
            print(f"fold {fold}: {len(keys)} questions, {len(kept)} pairs of neighbours", flush=True)
    os.rename(path + ".part", path)


class Neighbours:
    """The pairs, their folds, what the serving program says of them, and the opinions of nets that have not seen the fold."""

    def __init__(self, data):
        self.data = data
        self.rows = common.read_pairs(data.path("neighbours.jsonl"))
        self.fold = np.array([row["fold"] for row in self.rows])

    def features(self):
        """Features and whether no guard fires, as `gathered` of `train.py` has them of labelled pairs."""
        import trees

        named = trees.names(self.data.options.features)
        x, free = None, np.zeros(len(self.rows), bool)
        for fold in range(FOLDS):
            path, chosen = self.data.path(f"neighbours_{fold}.npz"), np.flatnonzero(self.fold == fold)
            if not os.path.exists(path):
                lines = [json.dumps({"a": self.rows[i]["a"], "b": self.rows[i]["b"]}) for i in chosen]
                seen, guard, (a, b) = trees.features(self.data.options.features, self.data.table_file((fold,)), lines)
                np.savez(path, x=seen, guard=guard, a=np.array(a, object), b=np.array(b, object))
            kept = np.load(path, allow_pickle=True)
            if x is None:
                x = np.zeros((len(self.rows), kept["x"].shape[1]), np.float32)
            x[chosen] = kept["x"]
            free[chosen] = kept["guard"].astype(str) == ""
        x[:, [i for i, name in enumerate(named) if name.startswith("guard_")]] = 0
        nets = [self.opinions(number) for number in range(self.data.options.nets)]
        return np.column_stack([x, *nets]).astype(np.float32), free

    def opinions(self, number):
        """What the net `number` trained without its fold says of each pair."""
        path = self.data.path(f"neighbours_net_{number}.npy")
        if os.path.exists(path):
            return np.load(path)
        import torch

        import attention
        import table
        from train import HIDDEN, MARK

        made = common.tokenizer(self.data.options.tokenizer)
        whole = [common.pieces(made, [row[side] for row in self.rows]) for side in "ab"]
        out = np.zeros(len(self.rows), np.float32)
        for fold in range(FOLDS):
            chosen = np.flatnonzero(self.fold == fold)
            kept = np.load(self.data.path(f"neighbours_{fold}.npz"), allow_pickle=True)
            pairs = attention.Pairs([[*row, MARK] for row in kept["a"]], [[*row, MARK] for row in kept["b"]])
            seen = self.data.tuned((fold,))
            everything = np.arange(len(chosen))
            pairs.see(seen, everything, *([side[i] for i in chosen] for side in whole), table.embed)
            net = attention.Net(seen.shape[1], HIDDEN)
            net.load_state_dict(torch.load(self.data.path(f"net_{fold}_{number}.pt"), weights_only=True))
            out[chosen] = attention.scores(net, pairs, attention.rows_and_weights(seen), everything)
        np.save(path, out)
        return out
