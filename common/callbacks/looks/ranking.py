"""Which samples and batches are best and worst, and which cannot be ranked at all."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from common.callbacks.looks.views import View
from common.errors import KitError, did_you_mean
from common.keys import INDEX, LOSS


class Chosen(NamedTuple):
    """Rows, those that say most first."""

    worst: np.ndarray
    best: np.ndarray
    broken: np.ndarray  # not finite, so neither better nor worse than anything


class Ranked(NamedTuple):
    """N samples or batches in a total order, whatever order they came in."""

    badness: np.ndarray  # (N,) float64, larger is worse; not finite: apart
    loss: np.ndarray  # (N,) float64, decides between equals
    number: np.ndarray  # (N,) int64, decides next: index of a sample, place of a batch

    def take(self, rows: np.ndarray) -> "Ranked":
        """Return some of them."""
        return Ranked(*(column[rows] for column in self))

    def join(self, other: "Ranked") -> "Ranked":
        """Return both, the other's behind."""
        return Ranked(*map(np.concatenate, zip(self, other, strict=True)))

    def extremes(self, k: int) -> Chosen:
        """Return up to k // 2 worst, k // 4 best and the first k // 4 that are not finite."""
        finite = np.isfinite(self.badness)
        rows, apart = np.flatnonzero(finite), np.flatnonzero(~finite)
        few = max(k // 4, 1)
        return Chosen(
            self._order(rows, -1)[: max(k // 2, 1)], self._order(rows, 1)[:few], apart[:few]
        )

    def _order(self, rows: np.ndarray, sign: int) -> np.ndarray:
        keys = -sign * self.number[rows], sign * self.loss[rows], sign * self.badness[rows]
        return rows[np.lexsort(keys)]


class Ranking:
    """Ranks by what `log.rank_by` names: the loss, a term of it, or a metric of each sample."""

    def __init__(self, by: str, view: View) -> None:
        self.by, self.view = by, view

    def check(self, terms: Sequence[str]) -> None:
        """Raise KitError unless the name is known.

        Args:
            terms: names of the loss's terms.
        """
        known = [LOSS, *terms, *([self.view.metric] if self.view.metric else [])]
        if self.by not in known:
            raise KitError(f"unknown log.rank_by '{self.by}'; {did_you_mean(self.by, known)}")

    @property
    def by_metric(self) -> bool:
        """Whether predictions are looked at, which training samples lack."""
        return self.by == self.view.metric

    def values(self, columns: Mapping[str, Any]) -> np.ndarray:
        """Return `(N,)` float64 of samples by which they are ranked."""
        if self.by_metric:
            return np.asarray(self.view.scores(columns), np.float64)
        name = LOSS if self.by == LOSS else f"{LOSS}/{self.by}"
        return np.asarray(columns[name], np.float64)

    def rank(self, columns: Mapping[str, Any]) -> Ranked:
        """Return the samples of an evaluation, or of part of its columns, to be ordered."""
        values, loss = self.values(columns), np.asarray(columns[LOSS], np.float64)
        badness = np.where(np.isfinite(loss), -values if self.by_metric else values, np.nan)
        return Ranked(badness, loss, np.asarray(columns[INDEX]))


def apart(chosen: Chosen, count: int) -> Chosen:
    """Return the choice such that none of `count` finite rows is both best and worst."""
    worst = chosen.worst[: -(-count // 2)]
    return Chosen(worst, chosen.best[: count // 2], chosen.broken)


def rank_batches(samples: Ranked, sizes: Sequence[int]) -> Ranked:
    """Return the means of batches that hold the next `sizes` samples each."""
    starts = np.cumsum([0, *sizes])[:-1]
    badness, loss = (
        np.add.reduceat(column, starts) / sizes for column in (samples.badness, samples.loss)
    )
    return Ranked(badness, loss, np.arange(len(sizes)))
