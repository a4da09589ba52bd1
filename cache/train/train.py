#!/usr/bin/env python3
"""Makes what `cache/model` holds, step by step; each step keeps its results in the work folder and is not done twice.

    train.py --work DIR --pairs PAIRS.jsonl --edits EDITS.jsonl --base TABLE.safetensors --tokenizer tokenizer.json \\
             --features PROGRAM STEP...

Steps: tables, features, nets, neighbours, teachers, compare, export. See README.md for where the inputs come from.

Nothing is judged by what it was fitted on. Pairs are in four folds by connected component. The embedder's table is tuned
on labels, so pairs it was tuned on look better than any new pair ever will: whatever learns from a fold's pairs sees them
through a table that was tuned without them. A net that is to be judged on a fold has never seen a pair of it; the tables
that it saw the other folds through have.
"""
import argparse
import os
import sys
import time

import numpy as np

import common
from common import FOLDS, MODEL

DIMS = 128
MARK = 1029  # the piece "?"
EPOCHS_TABLE = 3
EPOCHS_NET = 6
BATCH_NET = 256
HIDDEN = 64
TREES_SEEDS = 1
NEIGHBOUR_WEIGHT = 0.5  # of a pair of neighbours against a labelled pair, for the trees
EDIT_WEIGHT = 0.6  # of an edit against a pair, for the nets
MODES = ("safe", "balanced", "aggressive")
SHARES = (0.0025, 0.0075, 0.02)  # of different pairs answered, by raw labels


class Data:
    """Labelled pairs, then edits, then traps of another maker that nothing learns from; their folds, labels and pieces."""

    def __init__(self, options):
        self.options = options
        pairs, edits = common.read_pairs(options.pairs), common.read_pairs(options.edits)
        traps = common.read_pairs(options.traps) if options.traps else []
        self.rows = pairs + edits + traps
        self.fold = np.concatenate(common.component_folds(pairs, edits + traps))
        self.real = np.arange(len(self.rows)) < len(pairs)
        self.trap = np.arange(len(self.rows)) >= len(pairs) + len(edits)
        self.same = np.array([row["same"] for row in self.rows])
        self.kind = np.array([row.get("kind", "") for row in self.rows])
        made = common.tokenizer(options.tokenizer)
        self.a = common.pieces(made, [row["a"] for row in self.rows])
        self.b = common.pieces(made, [row["b"] for row in self.rows])

    def path(self, name):
        return os.path.join(self.options.work, name)

    def base(self):
        from safetensors.numpy import load_file

        import table

        tensors = load_file(self.options.base)
        rows = tensors["embeddings"].astype(np.float32) * tensors["weights"][:, None]
        real = np.flatnonzero(self.real)[:30000]
        return table.rotate(rows, [self.a[i] for i in real], DIMS)[0]

    def tuned(self, without):
        """The table tuned on all labelled pairs but those of the folds `without`, as its 8-bit codes say it."""
        path = self.path("table_" + "".join(map(str, sorted(without))) + ".safetensors")
        if not os.path.exists(path):
            import table

            began = time.time()
            chosen = np.flatnonzero(self.real & ~np.isin(self.fold, list(without)))
            tuned = table.tune(
                self.base(), [self.a[i] for i in chosen], [self.b[i] for i in chosen], self.same[chosen], EPOCHS_TABLE
            )
            codes, scale = common.quantise(tuned)
            common.write_safetensors(path, {"embeddings": codes, "weights": scale})
            print(f"table without {sorted(without)}: {time.time() - began:.0f} s", flush=True)
        from safetensors.numpy import load_file

        tensors = load_file(path)
        return tensors["embeddings"].astype(np.float32) * tensors["weights"][:, None]

    def table_file(self, without):
        self.tuned(without)
        return self.path("table_" + "".join(map(str, sorted(without))) + ".safetensors")


def tables(data):
    import table

    for without in [(f,) for f in range(FOLDS)] + [()]:
        made = data.tuned(without)
        if len(without) == 1:
            held = np.flatnonzero(data.real & (data.fold == without[0]))
            x, y = (table.embed(made, [rows[i] for i in held]) for rows in (data.a, data.b))
            print(common.line(f"cosine, fold {without[0]} held out", (x * y).sum(1), data.same[held]), flush=True)


def view_of(data):
    """Pairs prepared for the net, each seen through the table tuned without its fold. The pieces are those that the
    serving program shows its net, which all end in a question mark: what has no partner on the other side needs something
    to look at. The cosine is that of all pieces of the text."""
    import attention
    import table

    served = [[None] * len(data.rows), [None] * len(data.rows)]
    for fold in range(FOLDS):
        kept = np.load(data.path(f"features_{fold}.npz"), allow_pickle=True)
        for side, name in zip(served, "ab"):
            for i, row in zip(np.flatnonzero(data.fold == fold), kept[name]):
                side[i] = [*row, MARK]
    pairs = attention.Pairs(*served, data.fold)
    made = []
    for fold in range(FOLDS):
        seen = data.tuned((fold,))
        pairs.see(seen, np.flatnonzero(data.fold == fold), data.a, data.b, table.embed)
        made.append(attention.rows_and_weights(seen))
    return pairs, made


def train_net(data, held, seed, report=True):
    import torch

    import attention

    name = f"net_{'all' if held is None else held}_{seed}"
    path = data.path(name + ".pt")
    if os.path.exists(path):
        return
    pairs, made = view_of(data)
    chosen = np.flatnonzero(~data.trap & (data.fold != held)) if held is not None else np.flatnonzero(~data.trap)
    wanted = np.where(data.real, data.same * 0.96 + 0.02, data.same)
    weight = np.where(data.real, 1.0, EDIT_WEIGHT)
    began = time.time()

    def after(epoch, net):
        if held is not None and report:
            test = np.flatnonzero(data.real & (data.fold == held))
            score = attention.scores(net, pairs, made[held], test)
            print(common.line(f"{name} epoch {epoch} ({time.time() - began:.0f} s)", score, data.same[test]), flush=True)

    net = attention.train(pairs, made, wanted, weight, chosen, HIDDEN, EPOCHS_NET, size=BATCH_NET, seed=seed, after=after)
    if held is not None:
        test = np.flatnonzero(data.fold == held)
        np.save(data.path(name + ".npy"), attention.scores(net, pairs, made[held], test))
    torch.save(net.state_dict(), path)


def nets(data):
    for seed in range(data.options.seeds):
        for held in data.options.held or [*range(FOLDS), None]:
            train_net(data, held, seed)


def features(data):
    """What the serving program computes of each pair, each fold through the table tuned without it."""
    import json

    import trees

    for fold in range(FOLDS):
        path = data.path(f"features_{fold}.npz")
        if os.path.exists(path):
            continue
        chosen = np.flatnonzero(data.fold == fold)
        lines = [json.dumps({"a": data.rows[i]["a"], "b": data.rows[i]["b"]}) for i in chosen]
        x, guard, (a, b) = trees.features(data.options.features, data.table_file((fold,)), lines)
        np.savez(path, x=x, guard=guard, a=np.array(a, object), b=np.array(b, object))
        print(f"features of fold {fold}: {x.shape}", flush=True)


def gathered(data):
    """Features with the nets' opinions behind, and guards, of all pairs: nothing knows the fold it speaks of."""
    import trees

    named = trees.names(data.options.features)
    x, guard = None, np.empty(len(data.rows), object)
    nets_ = data.options.nets
    for fold in range(FOLDS):
        kept = np.load(data.path(f"features_{fold}.npz"), allow_pickle=True)
        chosen = np.flatnonzero(data.fold == fold)
        if x is None:
            x = np.zeros((len(data.rows), kept["x"].shape[1] + nets_), np.float32)
        x[chosen, : kept["x"].shape[1]] = kept["x"]
        guard[chosen] = kept["guard"]
        for number in range(nets_):
            x[chosen, kept["x"].shape[1] + number] = np.load(data.path(f"net_{fold}_{number}.npy"))
    # A guard that fires decides alone, so the trees only ever see pairs of which none does.
    x[:, [i for i, name in enumerate(named) if name.startswith("guard_")]] = 0
    return x, guard.astype(str) == "", named + [f"net_{number}" for number in range(nets_)]


def neighbours(data):
    """Neighbours, and what the serving program and the nets say of them."""
    import neighbours as near

    near.find(data)
    _, free = near.Neighbours(data).features()
    print(f"neighbours: {len(free)}, a guard fires for {100 - 100 * free.mean():.1f} %", flush=True)


def teachers(data):
    """The teacher's opinion of neighbours."""
    import neighbours as near
    import teacher

    labelled = None
    for fold in range(FOLDS):
        kept = np.load(data.path(f"features_{fold}.npz"), allow_pickle=True)["x"]
        if labelled is None:
            labelled = np.zeros((len(data.rows), kept.shape[1]), np.float32)
        labelled[data.fold == fold] = kept
    teacher.judge(data, near.Neighbours(data), labelled)


class Near:
    """Neighbours as the trees see them."""

    def __init__(self, data):
        import neighbours as near

        self.data, self.pairs = data, near.Neighbours(data)
        self.fold, (self.x, self.free) = self.pairs.fold, self.pairs.features()

    def likely(self, held=None):
        import teacher

        return teacher.probabilities(self.data, self.pairs, held)


def grown(data, x, free, named, near=None, held=None):
    """Trees of all labelled pairs that no guard decides, and of neighbours if given, but for those of the fold `held`."""
    import trees

    learn = free & ~data.trap & (data.fold != held) if held is not None else free & ~data.trap
    wanted, weight = data.same[learn].astype(float), np.ones(learn.sum())
    if near is None:
        return trees.grow(x[learn], wanted, named, weight, seeds=TREES_SEEDS)
    more = near.free & (near.fold != held) if held is not None else near.free
    x, wanted = np.concatenate([x[learn], near.x[more]]), np.concatenate([wanted, near.likely(held)[more]])
    weight = np.concatenate([weight, np.full(more.sum(), NEIGHBOUR_WEIGHT)])
    return trees.grow(x, wanted, named, weight, seeds=TREES_SEEDS)


def held_out(data, x, free, named, near=None, judged=None):
    """Scores of all pairs by trees that know nothing of their fold; 0 where a guard decides, in the order of the trees.
    `near`: neighbours to grow from; `judged`: neighbours to judge, whose scores come second."""
    import trees

    score, scores_near = np.zeros(len(x)), None if judged is None else np.zeros(len(judged.x))
    for fold in range(FOLDS):
        models, here = grown(data, x, free, named, near, fold), data.fold == fold
        score[here] = trees.probability(models, x[here])
        if judged is not None:
            there = judged.fold == fold
            scores_near[there] = trees.probability(models, judged.x[there]) * judged.free[there]
    return np.where(free, score, 1e-6 * score), scores_near


def report_near(data, name, score, near, scores_near):
    """Of neighbours, at the modes' thresholds carried over from other folds: hits, and what the teacher says of them."""
    likely, real = near.likely(), data.real
    for mode, share in zip(MODES, SHARES):
        hit = np.zeros(len(scores_near), bool)
        for fold in range(FOLDS):
            rest = real & (data.fold != fold)
            hit |= (near.fold == fold) & (scores_near > common.threshold_at(score[rest], data.same[rest], share))
        p = likely[hit]
        print(f"    {name}, {mode}: {hit.sum()} of {len(hit)} neighbours hit, expected wrong {(1 - p).sum():.0f} "
              f"({100 * (1 - p).mean():.1f} %), p < 0.5: {(p < 0.5).sum()}, p < 0.2: {(p < 0.2).sum()}, p > 0.8: {(p > 0.8).sum()}", flush=True)  # fmt: skip


def carried(data, score, share):
    """Thresholds chosen on the other folds for `share` of false hits, and what they gave: recall, false hits, of edits."""
    out = []
    for fold in range(FOLDS):
        rest, here = data.real & (data.fold != fold), data.fold == fold
        least = common.threshold_at(score[rest], data.same[rest], share)
        hit = score > least
        real, edit, trap, same = data.real & here, ~data.real & ~data.trap & here, data.trap & here, data.same
        part = [real & same, real & ~same, edit & ~same, edit & same, trap & ~same, trap & same]
        out.append([100 * hit[p].mean() if p.any() else np.nan for p in part])
    return np.array(out).mean(0), np.array(out)


def report(data, name, score):
    real = data.real
    print(common.line(name, score[real], data.same[real]))
    for share in (SHARES[0], 0.005, 0.01, 0.02):
        mean, each = carried(data, score, share)
        print(f"    carried over {100 * share:.2f} %: recall {mean[0]:.1f} (folds {', '.join(f'{e:.1f}' for e in each[:, 0])}), false hits "
              f"{mean[1]:.2f} ({', '.join(f'{e:.2f}' for e in each[:, 1])}), edits {mean[2]:.2f} / {mean[3]:.1f}, traps {mean[4]:.2f} / {mean[5]:.1f}", flush=True)  # fmt: skip


def compare(data):
    """The rules that lose, and those that win."""
    x, free, named = gathered(data)
    report(data, "cosine", x[:, named.index("cosine")])
    for number in range(data.options.nets):
        report(data, f"net {number} alone", x[:, named.index(f"net_{number}")])
    report(data, "cosine and guards", np.where(free, 1, 1e-3) * x[:, named.index("cosine")])
    without = [i for i, name in enumerate(named) if not name.startswith("net_")]
    report(data, "guards and trees, no net", held_out(data, x[:, without], free, [named[i] for i in without])[0])
    report(data, "trees and net, no guards", held_out(data, x, np.ones(len(x), bool), named)[0])
    near = Near(data)
    score, scores_near = held_out(data, x, free, named, judged=near)
    report(data, "guards, trees and net, no neighbours", score)
    report_near(data, "no neighbours", score, near, scores_near)
    np.save(data.path("score_no_neighbours.npy"), score)
    np.save(data.path("score_no_neighbours_near.npy"), scores_near)


def export(data):
    """Grows the trees on all pairs, picks thresholds by scores held out, writes and checks the files that ship."""
    import shutil

    import torch

    import trees

    x, free, named = gathered(data)
    near = Near(data)
    score, scores_near = held_out(data, x, free, named, near, near)
    report(data, "held out", score)
    report_near(data, "held out", score, near, scores_near)
    np.save(data.path("score.npy"), score)
    np.save(data.path("score_near.npy"), scores_near)
    models = grown(data, x, free, named, near)
    arrays = trees.flat(models)
    off = np.abs(trees.walk(arrays, x[:4000]) - trees.probability(models, x[:4000])).max()
    assert off < 1e-5, off
    thresholds = [common.threshold_at(score[data.real], data.same[data.real], share) for share in SHARES]
    out, tensors = data.options.out or MODEL, {}
    for number in range(data.options.nets):
        state = torch.load(data.path(f"net_all_{number}.pt"), weights_only=True)
        tensors |= {f"net{number}.{name}": value.numpy().astype(np.float32) for name, value in state.items()}
        tensors[f"net{number}.end"] = np.array([MARK], np.int32)
    length = np.maximum(np.linalg.norm(data.tuned(()), axis=1), 1e-6).mean()
    tensors["table.mean_length"] = np.array([length], np.float32)
    tensors |= arrays | {"thresholds": np.array(thresholds, np.float32)}
    about = {"feature_names": ",".join(named), "thresholds": ",".join(MODES), "licence": "Apache-2.0, see NOTICE"}
    common.write_safetensors(os.path.join(out, "verifier.safetensors"), tensors, about)
    shutil.copyfile(data.table_file(()), os.path.join(out, "embedder.safetensors"))
    print(f"{len(arrays['trees.root'])} trees, {len(arrays['trees.leaf'])} leaves, thresholds {thresholds}, arrays off by {off:.1e}")
    gains = sum(model.feature_importance("gain") for model in models)
    print("most used:", ", ".join(f"{named[i]} {100 * gains[i] / gains.sum():.1f}" for i in np.argsort(-gains)[:15]))


STEPS = {"tables": tables, "features": features, "nets": nets, "neighbours": neighbours, "teachers": teachers, "compare": compare, "export": export}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("work", "pairs", "edits", "base", "tokenizer"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--traps", help="more edits, by another maker, to judge with and never to learn from")
    parser.add_argument("--features", default="features")
    parser.add_argument("--teacher", help="folder of the sentence transformer that the teacher asks, for the step teachers")
    parser.add_argument("--nets", type=int, default=1)
    parser.add_argument("--out", help="where to write what ships; cache/model unless told")
    parser.add_argument("--held", type=lambda it: None if it == "none" else int(it), nargs="*", help="only these nets")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("steps", nargs="+")
    options = parser.parse_args()
    os.makedirs(options.work, exist_ok=True)
    import torch

    torch.set_num_threads(options.threads)
    data = Data(options)
    print("pairs", int(data.real.sum()), "edits", int((~data.real).sum()), common.count_by(data.fold.tolist()), flush=True)
    for step in options.steps:
        STEPS[step](data)


if __name__ == "__main__":
    sys.exit(main())
