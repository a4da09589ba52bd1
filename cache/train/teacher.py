"""The teacher: what is too large to serve says of labelled pairs and of neighbours how likely they are the same.

It knows what the sentence transformer's vectors of both questions say, and our features. Two models, their logits averaged:
trees over the features and the vectors' cosine, and a net over both vectors and the features. They learn from labelled pairs
only. A fold is judged by a teacher that has not seen it; for nets and trees that are held out from another fold too, by one
that has seen neither.
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


def judge(whole):
    """Writes `teacher_*.npz` for each set of folds left out: `which` of the labelled pairs, then the neighbours, are of these
    folds, and their logits."""
    import trees

    data = whole.data
    left_out = [*itertools.combinations(range(FOLDS), 1), *itertools.combinations(range(FOLDS), 2)]
    missing = [folds for folds in left_out if not os.path.exists(file(data, folds))]
    if not missing:
        return
    judged = whole.real | whole.near
    rows = [row for row, real in zip(data.rows, data.real) if real] + whole.rows_near
    questions = {}
    a, b = (np.array([questions.setdefault(row[side], len(questions)) for row in rows]) for side in "ab")
    seen = vectors(data, list(questions))
    cosine = np.concatenate([(seen[a[s : s + 8192]] * seen[b[s : s + 8192]]).sum(1) for s in range(0, len(a), 8192)])
    x, fold = np.column_stack([whole.x[judged], cosine]).astype(np.float32), whole.fold[judged]
    named = whole.named + ["teacher_cosine"]
    real = np.flatnonzero(data.real)
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


def probabilities(data, fold, held=None):
    """Of labelled pairs and neighbours, of which `fold` says the folds, by teachers that have seen neither their fold nor the
    fold `held`; those of that fold: not a number."""
    out = np.full(len(fold), np.nan)
    for one in range(FOLDS):
        if one == held:
            continue
        kept = np.load(file(data, (one,) if held is None else tuple(sorted((one, held)))))
        here = fold[kept["which"]] == one
        out[kept["which"][here]] = 1 / (1 + np.exp(-kept["logit"][here]))
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
