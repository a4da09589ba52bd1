"""The trees that decide, their thresholds, and how they leave Python as flat arrays."""
import json
import subprocess

import lightgbm
import numpy as np

# More of these never makes two questions likelier to be the same; of those, never less likely.
NEVER_MORE = (
    "guard_number guard_negation guard_antonym guard_name guard_code guard_unit guard_order guard_script guard_sign guard_length "
    "names_odd_lo names_odd_hi numbers_odd_lo numbers_odd_hi literal_odd_lo literal_odd_hi units_odd_lo units_odd_hi "
    "negation_difference opposites turned inversions exchanged same_words_other_order asking_conflict topic_strange_lo"
).split()
UNDECIDED = -1
NEVER_LESS = "cosine piece_cosine topic_jaccard net_0 net_1 net_2".split()


def features(program, table, lines):
    """Of pairs (lines of JSON), as the program that serves computes them: features `x`, the `guard` that fires or "", why
    one is not compared at all (`unfit`) or "", whether they are one but for case and spaces (`folded`), what is `decided` whatever the score (1 same, 0 different, -1 nothing), and the
    pieces of `a` and `b`."""
    command = ["nice", "-n", "19", program, "--table", table]
    out = subprocess.run(command, input="\n".join(lines).encode(), stdout=subprocess.PIPE, check=True).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    assert len(rows) == len(lines)
    pieces = {"a": "ids_a", "b": "ids_b"}
    return {
        "x": np.array([row["f"] for row in rows], np.float32),
        "guard": np.array([row["guard"] or "" for row in rows]),
        "unfit": np.array([row["unfit"] or "" for row in rows]),
        "folded": np.array([row["folded"] for row in rows]),
        "decided": np.array([UNDECIDED if row["decided"] is None else int(row["decided"]) for row in rows], np.int8),
    } | {side: np.array([row[name] or [0] for row in rows] + [None], object)[:-1] for side, name in pieces.items()}


def names(program):
    return subprocess.run([program, "--names"], stdout=subprocess.PIPE, check=True).stdout.decode().split()


def grow(x, wanted, named, weight=None, rounds=240, leaves=24, rate=0.05, seeds=1, min_child=40, directed=True):
    """A model for each seed, whose scores are to be averaged. `wanted`: labels, or probabilities."""
    direction = [-1 if name in NEVER_MORE else 1 if name in NEVER_LESS else 0 for name in named]
    settings = {
        "objective": "cross_entropy", "num_leaves": leaves, "learning_rate": rate, "min_data_in_leaf": min_child,
        "bagging_fraction": 0.8, "bagging_freq": 1, "feature_fraction": 0.5, "lambda_l2": 5.0, "num_threads": 1,
        "verbose": -1, "deterministic": True, "force_row_wise": True,
    }  # fmt: skip
    if directed:
        settings |= {"monotone_constraints": direction, "monotone_constraints_method": "basic"}
    made = lightgbm.Dataset(x, label=np.asarray(wanted, float), weight=weight, free_raw_data=False)
    return [lightgbm.train(settings | {"seed": seed}, made, rounds) for seed in range(seeds)]


def raw(models, x):
    return sum(model.predict(x, raw_score=True) for model in models) / len(models)


def probability(models, x):
    return 1 / (1 + np.exp(-raw(models, x)))


def flat(models):
    """Arrays of nodes and leaves, those of the mean of all models. Children stand behind their parents; a negative child is leaf -1 - child. LightGBM
    compares in 64 bits: a threshold is rounded down to the largest 32-bit number that is not above it, which decides the
    same for every 32-bit feature."""
    feature, threshold, left, right, root, leaf = [], [], [], [], [], []

    def place(node):
        if "leaf_value" in node and "split_feature" not in node:
            leaf.append(node["leaf_value"] / len(models))
            return -len(leaf)
        assert node["decision_type"] == "<=", node["decision_type"]
        at = len(feature)
        exact = float(node["threshold"])
        rounded = np.float32(exact)
        if float(rounded) > exact:
            rounded = np.nextafter(rounded, np.float32(-np.inf))
        feature.append(node["split_feature"])
        threshold.append(rounded)
        left.append(0)
        right.append(0)
        left[at] = place(node["left_child"])
        right[at] = place(node["right_child"])
        return at

    for model in models:
        for tree in model.dump_model()["tree_info"]:
            root.append(place(tree["tree_structure"]))
    return {
        "trees.feature": np.array(feature, np.int32),
        "trees.threshold": np.array(threshold, np.float32),
        "trees.left": np.array(left, np.int32),
        "trees.right": np.array(right, np.int32),
        "trees.root": np.array(root, np.int32),
        "trees.leaf": np.array(leaf, np.float32),
        "trees.bias": np.zeros(1, np.float32),
    }


def walk(arrays, x):
    """Scores by the flat arrays: what the program that serves does, to compare with."""
    total = np.full(len(x), float(arrays["trees.bias"][0]))
    for start in arrays["trees.root"]:
        at = np.full(len(x), start)
        while (at >= 0).any():
            inside = np.flatnonzero(at >= 0)
            node = at[inside]
            goes = x[inside, arrays["trees.feature"][node]] <= arrays["trees.threshold"][node]
            at[inside] = np.where(goes, arrays["trees.left"][node], arrays["trees.right"][node])
        total += arrays["trees.leaf"][-1 - at]
    return 1 / (1 + np.exp(-total))
