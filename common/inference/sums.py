"""What several checkpoints say of N images, summed as they come: O(N x C) numbers, however many."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from common.inference.outcome import Outcome
from common.inference.plan import RANK, STACK, Plan
from common.inference.ways import log_odds, ranks_among

WHOLE = 1 - 1e-9  # a sum of shares from which on all are in it


class Mean:
    """The mean of all checkpoints, weighted by `(M,)` shares that add up to 1."""

    def __init__(self, shares: np.ndarray) -> None:
        self.shares = shares

    def begin(self, rows: int, num_classes: int) -> None:
        """Expect predictions of so many images."""
        self.total = np.zeros((rows, num_classes), np.float32)
        self.done = np.zeros(rows)

    def add(self, number: int, rows: np.ndarray, values: np.ndarray) -> None:
        """Take `(len(rows), C)` probabilities of one checkpoint."""
        self.total[rows] += values * np.float32(self.shares[number])
        self.done[rows] += self.shares[number]

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Return `(N, C)` float32, and `(N,)` which images have any prediction; 0 where not."""
        short = (self.done > 0) & (self.done < WHOLE)
        self.total[short] /= self.done[short, None]
        return self.total, self.done > 0


class Blended:
    """A blend: each member the mean of its folds, the members combined as a plan says.

    Of an image for which there was no time for a member, the others' weights are made to add up to
    1; a stack, which was fitted to all of them, gives way to the mean of those that there are.

    Args:
        outcome: is told of images that lack a member.
    """

    def __init__(self, plan: Plan, outcome: Outcome) -> None:
        self.plan, self.outcome, self.member_of = plan, outcome, plan.member_of
        of = np.array(self.member_of)
        self.shares = plan.weights[of] / np.array(plan.folds)[of]  # of each checkpoint
        self.heads = Stack(plan) if plan.how == STACK else None

    def begin(self, rows: int, num_classes: int) -> None:
        """Expect predictions of so many images."""
        self.total, self.done = np.zeros((rows, num_classes)), np.zeros(rows)
        self.said, self.seen = np.zeros((rows, num_classes)), np.zeros(rows)  # of the member
        self.members, self.member = np.zeros(rows, np.int64), 0
        if self.heads:
            self.heads.begin(rows, num_classes)

    def add(self, number: int, rows: np.ndarray, values: np.ndarray) -> None:
        """Take `(len(rows), C)` probabilities of one checkpoint."""
        if self.member_of[number] != self.member:
            self._close()
            self.member = self.member_of[number]
        ranked = self.plan.how == RANK
        self.said[rows] += ranks_among(values, self.plan.known[number]) if ranked else values
        self.seen[rows] += 1

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Return `(N, C)` float32, and `(N,)` which images have any prediction; 0 where not."""
        self._close()
        there = self.done > 0
        self.total[there] = self.plan.way.finish(self.total[there] / self.done[there, None])
        whole = self.members == len(self.plan.folds)
        if self.heads:
            self.total[whole] = self.heads.result(whole, self.total.shape[1])
        if short := int((there & ~whole).sum()):
            instead = (
                "their mean in place of the stack" if self.heads else "the blend of the others"
            )
            self.outcome.give_up(f"{short} images lack a member of the blend and get {instead}")
        return self.total.astype(np.float32), there

    def _close(self) -> None:
        """Add the member whose checkpoints are through."""
        rows = np.flatnonzero(self.seen)
        said, weight = self.said[rows] / self.seen[rows, None], self.plan.weights[self.member]
        self.total[rows] += weight * self.plan.way.part(said)
        self.done[rows] += weight
        self.members[rows] += 1
        if self.heads:
            self.heads.add(self.member, rows, said)
        self.said[:], self.seen[:] = 0, 0


class Stack:
    """Linear models over the log odds of all members, summed member by member."""

    def __init__(self, plan: Plan) -> None:
        self.models, self.multilabel = plan.models, plan.multilabel
        self.fitted = [model for model in plan.models if "constant" not in model]

    def begin(self, rows: int, num_classes: int) -> None:
        """Expect predictions of so many images."""
        parts = [np.array(model["coefficients"]) for model in self.fitted]
        self.sizes = [len(part) for part in parts]
        self.weights = np.concatenate(parts) if parts else np.zeros((0, 0))
        self.logits = np.zeros((rows, len(self.weights)))

    def add(self, member: int, rows: np.ndarray, said: np.ndarray) -> None:
        """Take `(len(rows), C)` probabilities of one member."""
        width = said.shape[1]
        own = self.weights[:, member * width : (member + 1) * width]
        self.logits[rows] += log_odds(said) @ own.T

    def result(self, rows: np.ndarray, num_classes: int) -> np.ndarray:
        """Return `(len(rows), C)` probabilities of rows with all members."""
        parts = iter(np.split(self.logits[rows], np.cumsum(self.sizes)[:-1], axis=1))
        said = [
            float(model["constant"]) if "constant" in model else _probabilities(model, next(parts))
            for model in self.models
        ]
        found = np.zeros((int(rows.sum()), num_classes))
        if self.multilabel:
            for column, one in enumerate(said):
                found[:, column] = one if isinstance(one, float) else one[:, 1]
        elif isinstance(said[0], float):
            found[:, int(said[0])] = 1
        else:
            found[:, self.models[0]["classes"]] = said[0]
        return found


def _probabilities(model: Mapping[str, Any], logits: np.ndarray) -> np.ndarray:
    """Return what scikit-learn's logistic regression makes of sums, without its intercepts."""
    logits = logits + np.array(model["intercepts"])
    if logits.shape[1] == 1:
        logits = np.concatenate([np.zeros_like(logits), logits], 1)
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


def fill(total: np.ndarray, none: np.ndarray, usual: np.ndarray | float) -> np.ndarray:
    """Give rows without a prediction the mean of all others, or what is `usual` where there are no
    others; in place, return the array."""
    if none.any():
        others = total.mean(0, where=~none[:, None]) if (~none).any() else usual
        total[none] = others
    return total
