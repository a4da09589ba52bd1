"""Pairs that nobody labelled: questions with those nearest to them, which is what a cache looks up.

Labelled pairs are mostly hard ones that people chose; trees that know nothing else take a neighbour that shares little but
its shape with the question for the same now and then. So nets and trees also see neighbours, with the probabilities that the
teacher (`teacher.py`) gives them. Both questions of such a pair are of one fold, and neighbours by the table tuned without it.
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
