"""All pairs at once: labelled ones, edits, traps of another maker, then neighbours; what the serving program says of them,
what the teacher and the nets say, and what is to be learned from each.

Nothing that is said of a pair comes from anything that has seen its fold.
"""
import numpy as np

import common
import teacher
import trees
from common import FOLDS

MARK = 1029  # the piece "?"
CERTAIN = 1.0  # the score of what is one but for how it is spelt


class Whole:
    """Pairs in the order above. `real`: labelled, `edit`, `trap`, `near`: which is which; `same`: labels, meaningless for
    neighbours. `decided`, `unfit`, `folded`: as `trees.features` has them; `kind`: the table that pairs are seen through. `free`: nothing but the score decides."""

    def __init__(self, data, kind="tuned"):
        self.kind = kind
        self.data, self.rows_near = data, common.read_pairs(data.path("neighbours.jsonl"))
        labelled, near = len(data.fold), len(self.rows_near)
        none = np.zeros(near, bool)
        self.fold = np.concatenate([data.fold, [row["fold"] for row in self.rows_near]]).astype(int)
        self.near = np.arange(labelled + near) >= labelled
        self.real, self.trap = np.concatenate([data.real, none]), np.concatenate([data.trap, none])
        self.edit = ~(self.real | self.trap | self.near)
        self.same = np.concatenate([data.same, none]).astype(bool)
        self.named = trees.names(data.options.features)
        self.x = np.zeros((len(self.fold), len(self.named)), np.float32)
        self.decided, self.unfit = np.zeros(len(self.fold), np.int8), np.zeros(len(self.fold), bool)
        self.folded = np.zeros(len(self.fold), bool)
        self.a, self.b = np.empty(len(self.fold), object), np.empty(len(self.fold), object)
        for fold in range(FOLDS):
            kept = np.load(data.path(f"features_{kind}_{fold}.npz"), allow_pickle=True)
            here = np.flatnonzero(self.fold == fold)
            for name, values in (("x", self.x), ("decided", self.decided), ("folded", self.folded), ("a", self.a), ("b", self.b)):
                values[here] = kept[name]
            self.unfit[here] = kept["unfit"] != ""
        self.free = self.decided == trees.UNDECIDED

    def likely(self, held=None):
        """How likely two questions are the same, by teachers that have seen neither their fold nor the fold `held`: of
        labelled pairs and neighbours. Not a number of others, and of the fold `held`."""
        out = np.full(len(self.fold), np.nan)
        out[self.real | self.near] = teacher.probabilities(self.data, self.fold[self.real | self.near], held)
        return out

    def lessons(self, held, share, smoothing=0.02):
        """What is to be said of each pair: labels, of labelled pairs mixed with the teacher's opinion, of which there is
        `share`; for neighbours there is nothing else. Labels are wrong now and then: `smoothing`."""
        likely = self.likely(held)
        label = np.where(self.real, smoothing + (1 - 2 * smoothing) * self.same, self.same)
        mixed = np.where(self.near, likely, (1 - share) * label + share * likely)
        return np.where(self.real & (share > 0) | self.near, mixed, label)

    def texts(self):
        """Pieces of the whole texts: what the table makes its vectors of."""
        made = common.tokenizer(self.data.options.tokenizer)
        near = [common.pieces(made, [row[side] for row in self.rows_near]) for side in "ab"]
        return self.data.a + near[0], self.data.b + near[1]

    def view(self):
        """All pairs prepared for the net, each seen through the table tuned without its fold; and the tables. The pieces are
        those that the serving program shows its net, which all end in a question mark: what has no partner on the other
        side needs something to look at. The cosine is that of all pieces of the text."""
        import attention
        import table

        pairs = attention.Pairs(*([[*row, MARK] for row in side] for side in (self.a, self.b)), self.fold)
        seen, texts = [], self.texts()
        for fold in range(FOLDS):
            tuned = getattr(self.data, self.kind)((fold,))
            pairs.see(tuned, np.flatnonzero(self.fold == fold), *texts, table.embed)
            seen.append(attention.rows_and_weights(tuned))
        return pairs, seen

    def with_nets(self, count):
        """Features as the trees see them, and their names: the nets' opinions last, guards 0, for where one fires the trees
        are not asked."""
        opinions = np.zeros((len(self.fold), count), np.float32)
        for fold in range(FOLDS):
            for number in range(count):
                opinions[self.fold == fold, number] = np.load(self.data.path(f"net_{fold}_{number}.npy"))
        x = np.concatenate([self.x, opinions], 1)
        x[:, [i for i, name in enumerate(self.named) if name.startswith("guard_")]] = 0
        return x, self.named + [f"net_{number}" for number in range(count)]

    def served(self, score):
        """What a lookup would see: 1 where two questions are one but for how they are spelt, next to nothing, in the same
        order, where a guard fires."""
        return np.where(self.decided == 1, CERTAIN, np.where(self.decided == 0, 1e-6 * score, score))

    def looked_up(self, served):
        """The same with all that a lookup does: what is never compared by meaning is missed, unless it is the same but for case and spaces."""
        return np.where(self.unfit & ~self.folded, 0.0, served)
