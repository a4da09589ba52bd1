"""The teacher: what is too large to serve says of neighbours how likely they are the same.

It knows what the sentence transformer's vectors of both questions say, and our features. Two models, their logits averaged:
trees over the features and the vectors' cosine, and a net over both vectors and the features. They learn from labelled pairs
only. A fold's neighbours are judged by a teacher that has not seen the fold; while trees are held out from another fold too,
by one that has seen neither.
"""
import itertools
import os

import numpy as np

import common
from common import FOLDS


def vectors(data, questions):
    """The sentence transformer's vectors of `questions`, in their order."""
    path = data.path("teacher_vectors.npy")
    if os.path.exists(path):
        return np.load(path, mmap_mode="r")
    from distill import Teacher

    teacher = Teacher(data.options.teacher)
    rows = [teacher.tokenizer.encode(text).ids[:64] for text in questions]
    np.save(path, teacher.vectors(rows, batch=64))
    return np.load(path, mmap_mode="r")


def judge(data, neighbours, labelled):
    """Writes `teacher_*.npz` for each set of folds left out: `which` of the labelled pairs, then the neighbours, are of these
    folds, and their logits. `labelled`: features of the labelled pairs, guards left in."""
    import trees

    left_out = [*itertools.combinations(range(FOLDS), 1), *itertools.combinations(range(FOLDS), 2)]
    missing = [folds for folds in left_out if not os.path.exists(file(data, folds))]
    if not missing:
        return
    real = np.flatnonzero(data.real)
    rows = [data.rows[i] for i in real] + neighbours.rows
    questions = {}
    a, b = (np.array([questions.setdefault(row[side], len(questions)) for row in rows]) for side in "ab")
    seen = vectors(data, list(questions))
    fold = np.concatenate([data.fold[real], neighbours.fold])
    features = [np.load(data.path(f"neighbours_{f}.npz"), allow_pickle=True)["x"] for f in range(FOLDS)]
    unlabelled = np.zeros((len(neighbours.rows), labelled.shape[1]), np.float32)
    for f in range(FOLDS):
        unlabelled[neighbours.fold == f] = features[f]
    cosine = np.concatenate([(seen[a[s : s + 8192]] * seen[b[s : s + 8192]]).sum(1) for s in range(0, len(a), 8192)])
    x = np.column_stack([np.concatenate([labelled[real], unlabelled]), cosine]).astype(np.float32)
    named = trees.names(data.options.features) + ["teacher_cosine"]
    same = data.same[real]
    for folds in missing:
        learn = np.flatnonzero(~np.isin(fold[: len(real)], folds))
        which = np.flatnonzero(np.isin(fold, folds))
        grown = trees.grow(x[learn], same[learn], named, rounds=300, rate=0.04, directed=False)
        net = Net.trained(seen, a, b, x, same, learn)
        logit = (trees.raw(grown, x[which]) + net.logits(seen, a, b, x, which)) / 2
        np.savez(file(data, folds), which=which, logit=logit)
        known = which < len(real)
        print(common.line(f"teacher without {folds}", logit[known], same[which[known]]), flush=True)


def file(data, folds):
    return data.path("teacher_" + "".join(map(str, folds)) + ".npz")


def probabilities(data, neighbours, held=None):
    """Of neighbours, by teachers that have seen neither their fold nor the fold `held`; those of that fold: not a number."""
    count = int(data.real.sum())
    out = np.full(len(neighbours.rows), np.nan)
    for fold in range(FOLDS):
        if fold == held:
            continue
        kept = np.load(file(data, (fold,) if held is None else tuple(sorted((fold, held)))))
        which = kept["which"] - count
        here = (which >= 0) & (neighbours.fold[np.maximum(which, 0)] == fold)
        out[which[here]] = 1 / (1 + np.exp(-kept["logit"][here]))
    return out


class Net:
    """A small net over |u - v|, u * v, the same of a projection, and the features."""

    def __init__(self, dims, features, middle=192, dropout=0.3):
        import torch.nn as nn

        self.project, self.drop = nn.Linear(dims, middle), nn.Dropout(dropout)
        self.hidden, self.out = nn.Linear(2 * dims + 2 * middle + features, middle), nn.Linear(middle, 1)
        self.parts = nn.ModuleList([self.project, self.drop, self.hidden, self.out])

    def __call__(self, u, v, x):
        import torch

        p, q = torch.relu(self.project(u)), torch.relu(self.project(v))
        both = torch.cat([(u - v).abs() * 8, u * v * 20, (p - q).abs(), p * q, x], 1)
        return self.out(self.drop(torch.relu(self.hidden(self.drop(both))))).squeeze(1)

    def inputs(self, seen, a, b, x, at):
        import torch

        scaled = ((x[at] - self.mean) / self.spread).clip(-5, 5)
        return torch.tensor(seen[a[at]]), torch.tensor(seen[b[at]]), torch.tensor(scaled, dtype=torch.float32)

    @classmethod
    def trained(cls, seen, a, b, x, same, learn, epochs=8, rate=1e-3, size=256, seed=0):
        import torch

        torch.manual_seed(seed)
        rng = np.random.default_rng(seed)
        net = cls(seen.shape[1], x.shape[1])
        net.mean, net.spread = x[learn].mean(0), x[learn].std(0) + 1e-3
        optimiser = torch.optim.AdamW(net.parts.parameters(), rate, weight_decay=1e-2)
        steps = -(-len(learn) // size) * epochs
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps, pct_start=0.1)
        for _ in range(epochs):
            order = rng.permutation(learn)
            for s in range(0, len(order), size):
                at = order[s : s + size]
                wanted = torch.tensor(same[at] * 0.96 + 0.02, dtype=torch.float32)
                logit = net(*net.inputs(seen, a, b, x, at))
                loss = torch.nn.functional.binary_cross_entropy_with_logits(logit, wanted)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                schedule.step()
        net.parts.eval()
        return net

    def logits(self, seen, a, b, x, which):
        import torch

        with torch.no_grad():
            parts = np.array_split(which, max(1, len(which) // 4096))
            return np.concatenate([self(*self.inputs(seen, a, b, x, at)).numpy() for at in parts])
