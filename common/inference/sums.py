"""What several checkpoints say of N images, summed as they come: O(N x C) numbers of a mean."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from common import distributed
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
        """Return `(N, C)` float32, and `(N,)` which images have any prediction; 0 where not.

        Of several processes, each of which predicted some images, all return the whole.
        """
        distributed.add_up_array(self.total)
        distributed.add_up_array(self.done)
        short = (self.done > 0) & (self.done < WHOLE)
        self.total[short] /= self.done[short, None]
        return self.total, self.done > 0


class Blended:
    """A blend: each member the mean of its folds, the members combined as a plan says.

    It keeps O(N x C) numbers of each member, for processes may share an image's models.

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
        members = len(self.plan.folds)
        self.said, self.seen = np.zeros((members, rows, num_classes)), np.zeros((members, rows))

    def add(self, number: int, rows: np.ndarray, values: np.ndarray) -> None:
        """Take `(len(rows), C)` probabilities of one checkpoint."""
        member, ranked = self.member_of[number], self.plan.how == RANK
        values = ranks_among(values, self.plan.known[number]) if ranked else values
        self.said[member, rows] += values
        self.seen[member, rows] += 1

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        """Return `(N, C)` float32, and `(N,)` which images have any prediction; 0 where not.

        Of several processes, each of which predicted some images, all return the whole.
        """
        distributed.add_up_array(self.said)
        distributed.add_up_array(self.seen)
        self.said /= np.maximum(self.seen, 1)[..., None]
        weights = self.plan.weights[:, None] * (self.seen > 0)
        parts = (
            w[:, None] * self.plan.way.part(p) for w, p in zip(weights, self.said, strict=True)
        )
        total, done = sum(parts), weights.sum(0)
        there, whole = done > 0, (self.seen > 0).all(0)
        total[there] = self.plan.way.finish(total[there] / done[there, None])
        total[~there] = 0
        if self.heads:
            total[whole] = self.heads(self.said[:, whole])
        self._tell(int((there & ~whole).sum()))
        return total.astype(np.float32), there

    def _tell(self, short: int) -> None:
        instead = "their mean in place of the stack" if self.heads else "the blend of the others"
        if short and distributed.is_first():
            self.outcome.give_up(f"{short} images lack a member of the blend and get {instead}")


class Stack:
    """Linear models over the log odds of all members."""

    def __init__(self, plan: Plan) -> None:
        self.models, self.multilabel = plan.models, plan.multilabel

    def __call__(self, said: np.ndarray) -> np.ndarray:
        """Return `(n, C)` probabilities of `(M, n, C)`, of images with all members."""
        odds = np.concatenate(log_odds(said), 1)
        rows, num_classes = said.shape[1:]
        found = np.zeros((rows, num_classes))
        if self.multilabel:
            for column, model in enumerate(self.models):
                constant = model.get("constant")
                found[:, column] = _apply(model, odds)[:, 1] if constant is None else constant
        elif "constant" in self.models[0]:
            found[:, int(self.models[0]["constant"])] = 1
        else:
            found[:, self.models[0]["classes"]] = _apply(self.models[0], odds)
        return found


def _apply(model: Mapping[str, Any], odds: np.ndarray) -> np.ndarray:
    """Return the probabilities of scikit-learn's logistic regression."""
    logits = odds @ np.array(model["coefficients"]).T + np.array(model["intercepts"])
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
