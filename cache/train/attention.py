"""The attention net: two questions' piece vectors aligned softly with one another, compared, pooled, judged.

It is symmetric: swapping the two questions changes nothing. Pieces come as rows of unit length together with how long
the table's row was, against the mean row (`weight`): rows that were learned to be short matter little.
"""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

MOST = 40  # pieces of a question that the net looks at
EXTRA = 2  # numbers besides the cosine: see `extras`


class Net(nn.Module):
    def __init__(self, dims=128, hidden=64, dropout=0.2):
        super().__init__()
        self.P0 = nn.Linear(dims, hidden)
        self.Pm = nn.Linear(dims, hidden, bias=False)
        self.Pp = nn.Linear(dims, hidden, bias=False)
        self.A = nn.Linear(dims, hidden, bias=False)
        self.G = nn.Linear(4 * hidden + 1, hidden)
        self.H = nn.Linear(4 * hidden + 1 + EXTRA, hidden)
        self.O = nn.Linear(hidden, 1)
        self.t = nn.Parameter(torch.tensor(3.0))
        self.drop, self.dropout = nn.Dropout(dropout), dropout

    def project(self, rows, keep):
        """What each piece gives to itself and to its neighbours, and its key. Row 0 is that of no piece."""
        noisy = rows * keep
        here, before, behind = (F.linear(noisy, p.weight) for p in (self.P0, self.Pm, self.Pp))
        return here, before, behind, F.normalize(self.A(rows) + 1e-6, dim=-1)

    def encode(self, projected, pieces):
        here, before, behind, keys = projected
        left, right = F.pad(pieces[:, :-1], (1, 0)), F.pad(pieces[:, 1:], (0, 1))
        seen = torch.relu(here[pieces] + before[left] + behind[right] + self.P0.bias)
        return seen, keys[pieces]

    def kept(self, *shape):
        """Dropout of whole features, the same for all pieces of a question: cheap to draw."""
        if not self.training or self.dropout == 0:
            return torch.ones(1)
        return torch.empty(shape).bernoulli_(1 - self.dropout) / (1 - self.dropout)

    def compare(self, a, b, alike, real_a, real_b, weight):
        attention = torch.softmax(alike.masked_fill(~real_b.unsqueeze(1), -1e4), -1)
        partner = attention @ b
        best = alike.masked_fill(~real_b.unsqueeze(1), -9).max(-1, keepdim=True)[0].clamp(-9, 30)
        seen = torch.cat([a, partner, (a - partner).abs(), a * partner, best], -1)
        seen = torch.relu(self.G(seen * self.kept(len(a), 1, seen.shape[-1])))
        real = real_a.unsqueeze(-1)
        weight = weight * real
        mean = (seen * weight).sum(1) / weight.sum(1).clamp_min(1e-3)
        most = seen.masked_fill(~real, -9).max(1)[0].clamp_min(0)
        return torch.cat([mean, most], -1)

    def forward(self, table, x, y, cosine, extra):
        rows, weight = table
        real_x, real_y = x > 0, y > 0
        used, at = torch.unique(torch.cat([torch.zeros(1, dtype=torch.long), x.flatten(), y.flatten()]), return_inverse=True)
        at_x, at_y = at[1 : 1 + x.numel()].view_as(x), at[1 + x.numel() :].view_as(y)
        projected = self.project(rows[used], self.kept(1, rows.shape[1]))
        (a, aa), (b, bb) = self.encode(projected, at_x), self.encode(projected, at_y)
        alike = torch.exp(self.t) * (aa @ bb.transpose(1, 2))
        u = self.compare(a, b, alike, real_x, real_y, weight[x].unsqueeze(-1))
        v = self.compare(b, a, alike.transpose(1, 2), real_y, real_x, weight[y].unsqueeze(-1))
        seen = torch.cat([u + v, (u - v).abs(), cosine.unsqueeze(1), extra], 1)
        return self.O(self.drop(torch.relu(self.H(seen)))).squeeze(1)


def rows_and_weights(table):
    """Unit rows and their lengths against the mean length of all rows."""
    table = torch.as_tensor(table, dtype=torch.float32)
    length = table.norm(dim=1, keepdim=True).clamp_min(1e-6)
    return table / length, (length / length.mean()).squeeze(1)


def padded(rows, most=MOST):
    out = np.zeros((len(rows), most), np.int64)
    for i, row in enumerate(rows):
        out[i, : min(most, len(row))] = row[:most]
    return torch.tensor(out)


def extras(a, b):
    """The shorter question's pieces against the longer's; the sets of pieces: shared against all."""
    shorter = [min(len(x), len(y)) / max(len(x), len(y)) for x, y in zip(a, b)]
    jaccard = [len(set(x) & set(y)) / len(set(x) | set(y)) for x, y in zip(a, b)]
    return torch.tensor(np.column_stack([shorter, jaccard]).astype(np.float32))


class Pairs:
    """Pairs ready for the net. `view` says which of several tables each pair is to be seen through."""

    def __init__(self, a, b, view=None):
        self.a, self.b, self.extra = padded(a), padded(b), extras(a, b)
        self.lengths = np.array([min(MOST, max(len(x), len(y))) for x, y in zip(a, b)])
        self.cosine = torch.zeros(len(a))
        self.view = np.zeros(len(a), int) if view is None else view

    def see(self, table, which, a, b, embed):
        """Sets the cosines of the pairs `which` to those by `table`."""
        x, y = embed(table, [a[i] for i in which]), embed(table, [b[i] for i in which])
        self.cosine[which] = torch.tensor((x * y).sum(1))

    def batch(self, ix):
        most = int(self.lengths[ix].max())
        return self.a[ix, :most], self.b[ix, :most], self.cosine[ix], self.extra[ix]


def batches(pairs, chosen, size, rng):
    """Batches of one view and of similar lengths, in random order."""
    out = []
    for view in np.unique(pairs.view[chosen]):
        order = rng.permutation(chosen[pairs.view[chosen] == view])
        for s in range(0, len(order), size * 20):
            part = order[s : s + size * 20]
            part = part[np.argsort(pairs.lengths[part], kind="stable")]
            out += [part[i : i + size] for i in range(0, len(part), size)]
    return [out[i] for i in rng.permutation(len(out))]


def train(pairs, tables, wanted, weight, chosen, hidden=64, epochs=6, rate=2e-3, size=384, dropout=0.2, seed=0, net=None, after=None):
    """A net trained on the pairs `chosen`: `wanted` are probabilities, `tables[view]` what each pair is seen through."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    net = net or Net(tables[0][0].shape[1], hidden, dropout)
    optimiser = torch.optim.AdamW(net.parameters(), lr=rate, weight_decay=1e-3)
    steps = epochs * sum(-(-int((pairs.view[chosen] == v).sum()) // size) for v in np.unique(pairs.view[chosen]))
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps + epochs * 8, pct_start=0.1)
    wanted, weight = torch.tensor(wanted, dtype=torch.float32), torch.tensor(weight, dtype=torch.float32)
    for epoch in range(epochs):
        net.train()
        for ix in batches(pairs, chosen, size, rng):
            out = net(tables[pairs.view[ix[0]]], *pairs.batch(ix))
            loss = (F.binary_cross_entropy_with_logits(out, wanted[ix], reduction="none") * weight[ix]).mean()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        if after:
            after(epoch, net)
    return net.eval()


def scores(net, pairs, table, chosen, size=1024):
    """Logits for the pairs `chosen`, all seen through `table`."""
    net.eval()
    out = np.zeros(len(chosen), np.float32)
    order = np.argsort(pairs.lengths[chosen], kind="stable")
    with torch.no_grad():
        for s in range(0, len(order), size):
            at = order[s : s + size]
            out[at] = net(table, *pairs.batch(chosen[at])).numpy()
    return out
