"""Hits and false alarms at every threshold that a ranking offers; one sort serves all curves."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from common.errors import KitError

LEVELS = np.linspace(0, 1, 101)  # COCO's recall levels


class Curve(NamedTuple):
    """What a ranking finds and what it finds wrongly, as its threshold falls past P scores."""

    thresholds: np.ndarray  # (P,) float32, descending; what reaches it is taken for positive
    hits: np.ndarray  # (P,) int64, positives that reach it
    alarms: np.ndarray  # (P,) int64, negatives that reach it
    positives: int  # of all samples, found or not
    negatives: int

    @property
    def precision(self) -> np.ndarray:
        """Share of what was found that is right, `(P,)`."""
        return _ratio(self.hits, self.hits + self.alarms)

    @property
    def recall(self) -> np.ndarray:
        """Share of the positives that was found, `(P,)`; NaN without positives."""
        return _ratio(self.hits, np.array(self.positives))

    @property
    def alarm_rate(self) -> np.ndarray:
        """Share of the negatives that was found, `(P,)`; NaN without negatives."""
        return _ratio(self.alarms, np.array(self.negatives))

    @property
    def f1(self) -> np.ndarray:
        """Harmonic mean of precision and recall, `(P,)`."""
        return _ratio(2 * self.hits, self.hits + self.alarms + self.positives)

    @property
    def two_sided(self) -> bool:
        """Whether there are positives and negatives, without which a ranking has no quality."""
        return self.positives > 0 and self.negatives > 0


def ranking_curve(truth: np.ndarray, scores: np.ndarray, positives: int | None = None) -> Curve:
    """Return the curve of `(N,)` scores; samples of equal score share a point.

    A NaN score makes every ratio NaN.

    Args:
        truth: `(N,)` bool.
        scores: `(N,)` float of at least 0, compared as float32.
        positives: how many there are beyond those scored (objects never found); None: of `truth`.
    """
    scores = np.asarray(scores, np.float32) + np.float32(0)  # turns -0 into 0
    total = int(np.count_nonzero(truth)) if positives is None else positives
    negatives = len(scores) - int(np.count_nonzero(truth))
    if not len(scores) or np.isnan(scores).any():
        blank = np.zeros(min(len(scores), 1), np.int64)
        return Curve(np.full(len(blank), np.nan, np.float32), blank, blank, total, negatives)
    if scores.min() < 0:
        raise KitError(f"expected scores of at least 0, got {scores.min()}; apply the sigmoid")
    # Floats of one sign stand in the order of their bits, and the sign's own place holds the truth:
    # sorting such whole numbers takes a tenth of the time of an argsort.
    keys = scores.view(np.uint32) << np.uint32(1) | np.asarray(truth, bool).astype(np.uint32)
    keys.sort()
    keys = keys[::-1]
    bits = keys >> np.uint32(1)
    ends = np.flatnonzero(np.append(bits[1:] != bits[:-1], True))
    hits = np.cumsum(keys & np.uint32(1), dtype=np.int64)[ends]
    return Curve(bits[ends].view(np.float32), hits, ends + 1 - hits, total, negatives)


def pooled_curve(counts: np.ndarray, thresholds: np.ndarray) -> Curve:
    """Return the curve of `(T, 4)` counts of pixels at T ascending thresholds."""
    hits, alarms, misses, rest = np.asarray(counts, np.int64)[::-1].T
    return Curve(
        np.asarray(thresholds, np.float32)[::-1],
        hits,
        alarms,
        int(hits[0] + misses[0]),
        int(alarms[0] + rest[0]),
    )


def counts_at(curves: Sequence[Curve], thresholds: np.ndarray = LEVELS) -> np.ndarray:
    """Return `(T, 4)` counts of several curves together, at T thresholds.

    They are true positives, false positives, false negatives and true negatives. A curve whose
    scores hold a NaN is left out.
    """
    total = np.zeros((len(thresholds), 4), np.int64)
    for curve in curves:
        if np.isnan(curve.thresholds).any():
            continue
        reaching = np.searchsorted(-curve.thresholds, -np.float32(thresholds), side="right")
        hits, alarms = (np.insert(part, 0, 0)[reaching] for part in (curve.hits, curve.alarms))
        parts = [hits, alarms, curve.positives - hits, curve.negatives - alarms]
        total += np.stack(parts, axis=1)
    return total


def average_precision(curve: Curve) -> float:
    """Return the mean of precision over recall, in steps as scikit-learn's; NaN if none to find."""
    if not curve.positives:
        return float("nan")
    return float((np.diff(curve.recall, prepend=0) * curve.precision).sum())


def roc_auc(curve: Curve) -> float:
    """Return the area under recall over false alarm rate; NaN if either class is missing."""
    if not curve.two_sided or np.isnan(curve.thresholds).any():
        return float("nan")
    x, y = (np.concatenate([[0.0], part, [1.0]]) for part in (curve.alarm_rate, curve.recall))
    return float((np.diff(x) * (y[1:] + y[:-1])).sum() / 2)


def interpolated_precision(curve: Curve, levels: np.ndarray = LEVELS) -> np.ndarray:
    """Return at each recall level the best precision that it or a larger recall offers, as COCO.

    The mean over `LEVELS` is COCO's average precision.
    """
    if not curve.positives or np.isnan(curve.thresholds).any():
        return np.full(len(levels), np.nan)
    envelope = np.maximum.accumulate(curve.precision[::-1])[::-1]
    place = np.searchsorted(curve.recall, levels - 1e-12)
    return np.append(envelope, 0)[place]


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
