#!/usr/bin/env python3
"""Makes what `cache/model` holds, step by step; each step keeps its results in the work folder and is not done twice.

    train.py --work DIR --pairs PAIRS.jsonl --edits EDITS.jsonl --base TABLE.safetensors --tokenizer tokenizer.json \\
             --features PROGRAM STEP...

Steps: tables, neighbours, features, teachers, taught, nets, compare, export. See README.md for where the inputs come from.

Nothing is judged by what it was fitted on. Pairs are in four folds by connected component. The embedder's table is tuned
on labels, so pairs it was tuned on look better than any new pair ever will: whatever learns from a fold's pairs sees them
through a table that was tuned without them. A net that is to be judged on a fold has never seen a pair of it, nor has the
teacher it learned from; the tables that it saw the other folds through have.
"""
import argparse
import json
import os
import sys
import time

import numpy as np

import common
import trees
from common import FOLDS, MODEL
from whole import MARK, Whole

DIMS = 128
EPOCHS_TABLE = 3
EPOCHS_NET = 4
BATCH_NET = 256
DROPOUT_NET = 0.1
SEED_NET = 2
TEACHER_SHARE = 0.5  # of what table and net are to say of a labelled pair: so much by the teacher, the rest by the label
TEACHER_SHARE_TREES = 0.5  # the same of trees
NEIGHBOUR_WEIGHT_TABLE = 1.0  # of a pair of neighbours against a labelled pair, for the table
EPOCHS_TAUGHT = 4
RATE_TAUGHT = 2e-3
NEIGHBOUR_WEIGHT_NET = 0.7  # of a pair of neighbours against a labelled pair, for the nets
HIDDEN = 64
TREES_SEEDS = 1
NEIGHBOUR_WEIGHT = 0.5  # of a pair of neighbours against a labelled pair, for the trees
EDIT_WEIGHT = 0.6  # of an edit against a pair, for the nets
MODES = ("safe", "balanced", "aggressive")
SHARES = (0.001, 0.0075, 0.02)  # of different pairs answered, by raw labels


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
        """The table tuned on all labelled pairs but those of the folds `without`, as its 8-bit codes say it. It finds the
        neighbours, and the teacher knows pairs by it."""

        def tune(table):
            chosen = np.flatnonzero(self.real & ~np.isin(self.fold, list(without)))
            return table.tune(
                self.base(), [self.a[i] for i in chosen], [self.b[i] for i in chosen], self.same[chosen], epochs=EPOCHS_TABLE
            )

        return self.kept_table("table_", without, tune)

    def taught(self, without):
        """The table that serves: the same, tuned anew on what the teacher says of labelled pairs and of neighbours."""

        def tune(table):
            whole = Whole(self)
            held = without[0] if without else None
            chosen = np.flatnonzero((whole.real | whole.near) & (whole.fold != (-1 if held is None else held)))
            a, b = ([side[i] for i in chosen] for side in whole.texts())
            label = np.where(whole.near, -1, whole.same)[chosen]
            weight = np.where(whole.near, NEIGHBOUR_WEIGHT_TABLE, 1.0)[chosen]
            wanted = whole.lessons(held, TEACHER_SHARE)[chosen]
            return table.tune(self.base(), a, b, wanted, weight, label, EPOCHS_TAUGHT, RATE_TAUGHT)

        return self.kept_table("taught_", without, tune)

    def kept_table(self, name, without, tune):
        from safetensors.numpy import load_file

        path = self.table_file(name, without)
        if not os.path.exists(path):
            import table

            began = time.time()
            codes, scale = common.quantise(tune(table))
            common.write_safetensors(path, {"embeddings": codes, "weights": scale})
            print(f"{name}: without {sorted(without)}: {time.time() - began:.0f} s", flush=True)
        tensors = load_file(path)
        return tensors["embeddings"].astype(np.float32) * tensors["weights"][:, None]

    def table_file(self, name, without):
        return self.path(name + "".join(map(str, sorted(without))) + ".safetensors")


def tables(data, kind="tuned"):
    import table

    for without in [(f,) for f in range(FOLDS)] + [()]:
        made = getattr(data, kind)(without)
        if len(without) == 1:
            held = np.flatnonzero(data.real & (data.fold == without[0]))
            x, y = (table.embed(made, [rows[i] for i in held]) for rows in (data.a, data.b))
            print(common.line(f"cosine {kind}, fold {without[0]} held out", (x * y).sum(1), data.same[held]), flush=True)


def features(data, kind="tuned"):
    """What the serving program computes of each pair, labelled pairs and edits first, then neighbours, each fold through the
    table tuned without it."""
    near = common.read_pairs(data.path("neighbours.jsonl"))
    for fold in range(FOLDS):
        path = data.path(f"features_{kind}_{fold}.npz")
        if os.path.exists(path):
            continue
        getattr(data, kind)((fold,))
        rows = [row for row, of in zip(data.rows, data.fold) if of == fold] + [row for row in near if row["fold"] == fold]
        lines = [json.dumps({"a": row["a"], "b": row["b"]}) for row in rows]
        file = data.table_file("table_" if kind == "tuned" else "taught_", (fold,))
        np.savez(path, **trees.features(data.options.features, file, lines))
        print(f"features of fold {fold}: {len(lines)} pairs", flush=True)


def taught(data):
    """Tables, and features through them, that know what the teacher says."""
    tables(data, "taught")
    features(data, "taught")


def neighbours(data):
    """Questions and those nearest to them."""
    import neighbours as near

    near.find(data)


def teachers(data):
    """The teacher's opinion of labelled pairs and neighbours."""
    import teacher

    teacher.judge(Whole(data))


def nets(data):
    """Nets taught by labels and the teacher, each without a fold, and one by all."""
    whole, prepared = Whole(data, "taught"), None
    for held in [*range(FOLDS), None] if data.options.held is None else data.options.held:
        for number in range(data.options.nets):
            path = data.path(f"net_{'all' if held is None else held}_{number}")
            if os.path.exists(path + ".pt"):
                continue
            prepared = prepared or whole.view()
            train_net(whole, *prepared, held, number, path)


def train_net(whole, pairs, tables, held, number, path):
    import torch

    import attention

    learned = ~whole.trap & ~(whole.near & (whole.decided == 0))
    chosen = np.flatnonzero(learned & (whole.fold != (-1 if held is None else held)))
    weight = np.where(whole.real, 1.0, np.where(whole.near, NEIGHBOUR_WEIGHT_NET, EDIT_WEIGHT))
    test, began = np.flatnonzero(whole.real & (whole.fold == held)), time.time()

    def after(epoch, net):
        if held is not None:
            score = attention.scores(net, pairs, tables[held], test)
            told = f"net {number} without {held}, epoch {epoch} ({time.time() - began:.0f} s)"
            print(common.line(told, score, whole.same[test]), flush=True)

    lessons = np.nan_to_num(whole.lessons(held, TEACHER_SHARE))
    net = attention.train(
        pairs, tables, lessons, weight, chosen, HIDDEN, EPOCHS_NET, size=BATCH_NET, dropout=DROPOUT_NET, seed=SEED_NET + number, after=after
    )  # fmt: skip
    keep_net(whole, net, pairs, tables, held, path)


def keep_net(whole, net, pairs, tables, held, path):
    """Brings the net's scale to that of the teacher on neighbours of the fold that neither has seen, and writes it with what it
    says of the fold. Nets are each a little more or less sure of themselves, and trees that learned what several say are to
    believe another as much. That of all folds has seen all neighbours; their probabilities leave little to learn by heart."""
    import torch

    import attention

    score = np.zeros(len(whole.fold), np.float32)
    for fold in range(FOLDS) if held is None else [held]:
        here = np.flatnonzero((whole.fold == fold) & (whole.near if held is None else True))
        score[here] = attention.scores(net, pairs, tables[fold], here)
    here = whole.near & whole.free & (whole.fold == held if held is not None else True)
    slope, shift = common.line_through(score[here], whole.likely()[here])
    print(f"{os.path.basename(path)}: slope {slope:.3f}, shift {shift:.3f}", flush=True)
    with torch.no_grad():
        net.O.weight.mul_(slope)
        net.O.bias.mul_(slope).add_(shift)
    if held is not None:
        np.save(path + ".npy", slope * score[whole.fold == held] + shift)
    torch.save(net.state_dict(), path + ".pt")


class Judged:
    """All pairs as the trees see them, and what trees that know nothing of a pair's fold say of it."""

    def __init__(self, data):
        self.whole = Whole(data, "taught")
        self.x, self.named = self.whole.with_nets(data.options.nets)

    def grown(self, held=None, near=NEIGHBOUR_WEIGHT, share=TEACHER_SHARE_TREES, columns=None, free=None, **settings):
        """Trees of labelled pairs, edits and neighbours of the weight `near` that nothing but the score decides (`free`), but
        for those of the fold `held`; of the features `columns`."""
        whole = self.whole
        columns = np.arange(len(self.named)) if columns is None else columns
        free = whole.free if free is None else free
        learn = np.flatnonzero(free & ~whole.trap & (whole.fold != (-1 if held is None else held)) & (~whole.near | (near > 0)))
        weight = np.where(whole.near, near, 1.0)[learn]
        named = [self.named[i] for i in columns]
        wanted = whole.lessons(held, share, smoothing=0.0)[learn]
        return trees.grow(self.x[learn][:, columns], wanted, named, weight, seeds=TREES_SEEDS, **settings)

    def held_out(self, columns=None, free=None, **settings):
        """What a lookup would see of each pair, by trees held out from its fold."""
        whole, score = self.whole, np.zeros(len(self.x))
        columns = np.arange(len(self.named)) if columns is None else columns
        for fold in range(FOLDS):
            models, here = self.grown(fold, columns=columns, free=free, **settings), whole.fold == fold
            score[here] = trees.probability(models, self.x[here][:, columns])
        return score if free is not None else whole.served(score)


def carried(whole, score, share):
    """Thresholds chosen on the other folds for `share` of false hits, and what each gave: all that is hit."""
    hit = np.zeros(len(score), bool)
    for fold in range(FOLDS):
        rest = whole.real & (whole.fold != fold)
        hit |= (whole.fold == fold) & (score > common.threshold_at(score[rest], whole.same[rest], share))
    return hit


def report(whole, name, score):
    """Figures of scores held out: at thresholds carried over from other folds, as means over the folds."""
    real, same, likely = whole.real, whole.same, whole.likely()
    print(common.line(name, score[real], same[real]))
    for share in (*SHARES[:2], 0.01, 0.02):
        hit = carried(whole, score, share)

        def by_fold(which, hit=hit):
            return [100 * hit[which & (whole.fold == fold)].mean() for fold in range(FOLDS)]

        def mean(which, hit=hit):
            return np.mean(by_fold(which, hit)) if which.any() else np.nan

        up, near = whole.looked_up(hit), hit & whole.near
        doubt = 1 - likely[near]
        right, wrong = mean(real & same), mean(real & ~same)
        print(
            f"    {100 * share:.2f} %: recall {right:.1f} ({', '.join(f'{it:.1f}' for it in by_fold(real & same))}), false hits {wrong:.2f} "
            f"({', '.join(f'{it:.2f}' for it in by_fold(real & ~same))}), precision {100 * same[hit & real].mean():.1f}; whole lookup "
            f"{mean(real & same, up):.1f}, {mean(real & ~same, up):.2f}; edits {mean(whole.edit & ~same):.2f} / {mean(whole.edit & same):.1f}, "
            f"traps {mean(whole.trap & ~same):.2f} / {mean(whole.trap & same):.1f}; neighbours {near.sum()}, expected wrong "
            f"{100 * doubt.mean():.1f} %, p < .5: {(doubt > 0.5).sum()}, < .2: {(doubt > 0.8).sum()}", flush=True)  # fmt: skip


def compare(data):
    """The rules that lose, and those that win."""
    judged = Judged(data)
    whole, named = judged.whole, judged.named
    cosine, without = judged.x[:, named.index("cosine")], [i for i, name in enumerate(named) if not name.startswith("net_")]
    report(whole, "cosine", cosine)
    for number in range(data.options.nets):
        report(whole, f"net {number} alone", judged.x[:, named.index(f"net_{number}")])
    report(whole, "cosine, guards, one spelling", whole.served(0.5 + cosine / 4))
    report(whole, "guards and trees, no net", judged.held_out(columns=without))
    report(whole, "trees and net, no guards", judged.held_out(free=np.ones(len(cosine), bool)))
    report(whole, "guards, trees and net, no neighbours", judged.held_out(near=0.0))


def export(data):
    """Grows the trees on all pairs, picks thresholds by scores held out, writes and checks the files that ship."""
    import shutil

    import torch

    judged = Judged(data)
    whole, x, named = judged.whole, judged.x, judged.named
    score = judged.held_out()
    report(whole, "held out", score)
    np.save(data.path("score.npy"), score)
    models = judged.grown()
    arrays = trees.flat(models)
    off = np.abs(trees.walk(arrays, x[:4000]) - trees.probability(models, x[:4000])).max()
    assert off < 1e-5, off
    chosen = [common.threshold_at(score[whole.real], whole.same[whole.real], share) for share in SHARES]
    # The program takes a score that is equal to the threshold for a hit; here it is none.
    thresholds = np.nextafter(np.array(chosen, np.float32), np.float32(1))
    out, tensors = data.options.out or MODEL, {}
    for number in range(data.options.nets):
        state = torch.load(data.path(f"net_all_{number}.pt"), weights_only=True)
        tensors |= {f"net{number}.{name}": value.numpy().astype(np.float32) for name, value in state.items()}
        tensors[f"net{number}.end"] = np.array([MARK], np.int32)
    length = np.maximum(np.linalg.norm(data.taught(()), axis=1), 1e-6).mean()
    tensors["table.mean_length"] = np.array([length], np.float32)
    tensors |= arrays | {"thresholds": thresholds}
    about = {"feature_names": ",".join(named), "thresholds": ",".join(MODES), "licence": "Apache-2.0, see NOTICE"}
    common.write_safetensors(os.path.join(out, "verifier.safetensors"), tensors, about)
    shutil.copyfile(data.table_file("taught_", ()), os.path.join(out, "embedder.safetensors"))
    print(f"{len(arrays['trees.root'])} trees, {len(arrays['trees.leaf'])} leaves, thresholds {thresholds}, arrays off by {off:.1e}")
    gains = sum(model.feature_importance("gain") for model in models)
    print("most used:", ", ".join(f"{named[i]} {100 * gains[i] / gains.sum():.1f}" for i in np.argsort(-gains)[:15]))


STEPS = {it.__name__: it for it in (tables, neighbours, features, teachers, taught, nets, compare, export)}


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
