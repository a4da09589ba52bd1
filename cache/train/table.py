"""The embedder's table: one vector per word piece; a text is the mean of its pieces' vectors.

`learn` moves the table until the mean of a question's vectors lies where the teacher puts the question; it needs texts
and no labels. `tune` moves it by labelled pairs; `rotate` turns it so that the first dimensions hold the most.
"""
import time

import numpy as np
import torch
import torch.nn.functional as F


def bags(rows):
    offsets = np.cumsum([0] + [len(row) for row in rows[:-1]])
    return torch.tensor(np.concatenate([np.asarray(row) for row in rows])).long(), torch.tensor(offsets)


def mean(table, rows):
    flat, offsets = bags(rows)
    return F.normalize(F.embedding_bag(flat, table, offsets, mode="mean"), dim=1)


def embed(table, rows, batch=8192):
    table = torch.as_tensor(table, dtype=torch.float32)
    return torch.cat([mean(table, rows[s : s + batch]) for s in range(0, len(rows), batch)]).numpy()


def decay(optimiser, steps):
    return torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: max(0.02, 1 - step / steps))


def rotate(table, rows, dims):
    """Principal directions of the texts' vectors (not centred: their cosines are to stay), the first `dims` of them."""
    vectors = embed(table, rows)
    values, vectors_ = np.linalg.eigh(vectors.T.astype(np.float64) @ vectors / len(vectors))
    order = np.argsort(-values)
    kept = values[order][:dims].sum() / values.sum()
    return table @ vectors_[:, order][:, :dims].astype(np.float32), vectors_[:, order][:, :dims].astype(np.float32), kept


def learn(table, rows, target, epochs, rate=2e-3, batch=1024, seed=0, log=print):
    """Towards the teacher's vectors `target` (same dimensions, unit length), and its similarities within a batch."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    table = torch.nn.Parameter(torch.tensor(table))
    target = torch.tensor(target)
    optimiser = torch.optim.Adam([table], lr=rate)
    schedule = decay(optimiser, epochs * (len(rows) // batch))
    began = time.time()
    for epoch in range(epochs):
        order, total = rng.permutation(len(rows)), 0.0
        for s in range(0, len(rows) - batch + 1, batch):
            ix = order[s : s + batch]
            e, t = mean(table, [rows[i] for i in ix]), target[ix]
            away = (1 - (e * t).sum(1)).mean()
            k = 256
            loss = away + 2.0 * ((e[:k] @ e[:k].T - t[:k] @ t[:k].T) ** 2).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(away.detach())
        log(f"  learn {epoch}: 1 - cosine {total / max(1, len(rows) // batch):.4f} ({time.time() - began:.0f} s)")
    return table.detach().numpy()


def tune(table, a, b, wanted, weight=None, same=None, epochs=3, rate=2e-3, batch=1024, seed=0, contrast=0.3):
    """By pairs: a cosine above a learned line for the same, below for different; other questions of the batch away from those
    that a label says are the `same`. `wanted`: labels, or probabilities, each with its `weight`; where these are no labels,
    `same` has the labels: 1, 0, or -1 for a pair without one."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    table = torch.nn.Parameter(torch.tensor(table))
    line, slope = torch.nn.Parameter(torch.tensor(0.75)), torch.nn.Parameter(torch.tensor(10.0))
    optimiser = torch.optim.Adam([{"params": [table], "lr": rate}, {"params": [line, slope], "lr": 2e-2}])
    schedule = decay(optimiser, epochs * (len(a) // batch))
    same = torch.tensor(np.asarray(wanted if same is None else same).astype(np.int64))
    weight = torch.ones(len(a)) if weight is None else torch.tensor(np.asarray(weight, np.float32))
    wanted = torch.tensor(np.asarray(wanted, np.float32))
    for _ in range(epochs):
        order = rng.permutation(len(a))
        for s in range(0, len(a) - batch + 1, batch):
            ix = order[s : s + batch]
            x, z = mean(table, [a[i] for i in ix]), mean(table, [b[i] for i in ix])
            cosine, yes, labelled = (x * z).sum(1), same[ix] == 1, (same[ix] >= 0).float().mean()
            loss = F.binary_cross_entropy_with_logits(slope * (cosine - line), wanted[ix], reduction="none")
            loss = (loss * weight[ix]).mean()
            if yes.any():
                loss = loss + contrast * labelled * F.cross_entropy(20.0 * (x[yes] @ z.T), torch.nonzero(yes).squeeze(1))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    tuned = table.detach().numpy()
    tuned[0] = 0  # stands for a text without pieces
    return tuned
