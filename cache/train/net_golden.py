"""A small random net of class Dec with what PyTorch says of some pairs: proof that the Rust inference is the same.

usage: net_golden.py cache/model/embedder.safetensors cache/src/verify/golden
"""
import json
import sys

import numpy as np
import torch
from safetensors.numpy import load_file, save_file
from torch import nn
from torch.nn import functional

WIDTH = 8


class Dec(nn.Module):
    def __init__(self, rows, width):
        super().__init__()
        table = torch.tensor(rows)
        length = table.norm(dim=1, keepdim=True).clamp_min(1e-6)
        self.rows, self.weight = table / length, length / length.mean()
        size = table.shape[1]
        self.P0 = nn.Linear(size, width)
        self.Pm, self.Pp, self.A = (nn.Linear(size, width, bias=False) for _ in range(3))
        self.G, self.H, self.O = nn.Linear(4 * width + 1, width), nn.Linear(4 * width + 3, width), nn.Linear(width, 1)
        self.t = nn.Parameter(torch.tensor([3.0]))

    def encode(self, ids):
        rows = self.rows[ids]
        none = torch.zeros_like(rows[:1])
        before, after = torch.cat([none, rows[:-1]]), torch.cat([rows[1:], none])
        state = torch.relu(self.P0(rows) + self.Pm(before) + self.Pp(after))
        return state, functional.normalize(self.A(rows) + 1e-6, dim=-1)

    def compare(self, a, b, similar, weight):
        aligned = torch.softmax(similar, -1) @ b
        most = similar.max(-1, keepdim=True)[0].clamp(-9, 30)
        found = torch.relu(self.G(torch.cat([a, aligned, (a - aligned).abs(), a * aligned, most], -1)))
        mean = (found * weight).sum(0) / weight.sum().clamp_min(1e-3)
        return torch.cat([mean, found.max(0)[0].clamp_min(0)])

    def forward(self, x, y, cosine, extra):
        (a, to_a), (b, to_b) = self.encode(x), self.encode(y)
        similar = torch.exp(self.t) * (to_a @ to_b.T)
        left = self.compare(a, b, similar, self.weight[x])
        right = self.compare(b, a, similar.T, self.weight[y])
        features = torch.cat([left + right, (left - right).abs(), torch.tensor([cosine, *extra])])
        return self.O(torch.relu(self.H(features)))


def main(model, out):
    torch.manual_seed(7)
    tensors = load_file(model)
    rows = tensors["embeddings"].astype(np.float32) * tensors["weights"].reshape(-1, 1).astype(np.float32)
    net = Dec(rows, WIDTH).eval()
    with torch.no_grad():
        # Louder than at birth, so that a wrong product shows.
        for parameter in net.parameters():
            parameter.mul_(2.0 if parameter.dim() > 1 else 1.0)
    random = np.random.default_rng(7)
    pairs = []
    for sizes in [(1, 1), (1, 6), (5, 5), (12, 9), (40, 55), (3, 40), (8, 8)]:
        x, y = (random.integers(1000, 30000, size).tolist() for size in sizes)
        y[: len(x) // 2] = x[: len(x) // 2]
        y = y[: sizes[1]]
        cosine = float(np.float32(random.uniform(-0.2, 1)))
        extra = (min(sizes) / max(sizes), len(set(x) & set(y)) / len(set(x) | set(y)))
        with torch.no_grad():
            logit = net(torch.tensor(x[:40]), torch.tensor(y[:40]), cosine, extra)
        pairs.append({"a": x, "b": y, "cosine": cosine, "logit": float(logit)})
    save_file({f"net0.{name}": value.detach().numpy() for name, value in net.named_parameters()}, f"{out}/net.safetensors")
    with open(f"{out}/net.json", "w") as file:
        json.dump(pairs, file)
        file.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
