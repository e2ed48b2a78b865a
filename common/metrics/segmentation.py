"""Segmentation scores from counted pixels; thresholds are tuned on the same counts.

What an evaluation gathers of N windows of images (see `common.metrics.pixels`):

- binary: prediction `(N, T, 4)` int64, the true positives, false positives, false negatives and
  true negatives of each window at each of T thresholds (`threshold_counts`);
- classes: prediction `(N, C, C)` int64, a confusion matrix per window (`confusion`);
- target, for both: `(N, 2)` int64, the group of its image (a city; all 0 where there is none) and a
  code of the image.

The windows of an image are added up before anything else. Pooled scores add up all pixels before
they divide; per-image scores divide first. A window counted as -1 (its probabilities hold NaN)
makes a score NaN.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from common.errors import KitError
from common.metrics.base import Metric
from common.metrics.checks import undefined
from common.metrics.overlap import (
    class_iou,
    dice,
    per_group,
    per_image,
    pixel_accuracy,
    pool_images,
    pooled,
)
from common.metrics.pixels import THRESHOLDS

Score = Callable[[np.ndarray], float]  # (N, 4) counts of N images -> one number
GroupedScore = Callable[[np.ndarray, np.ndarray], float]  # (N,) groups and (N, 4) counts -> number
Pick = Callable[[np.ndarray], np.ndarray]  # what was gathered -> the counts that are scored


def split_half(groups: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of two random halves of N images, each with half of every group."""
    groups = np.asarray(groups)
    if len(groups) < 2:
        raise KitError(f"expected 2 images or more to split, got {len(groups)}; validate on more")
    order = np.random.default_rng(seed).permutation(len(groups))
    order = order[np.argsort(groups[order], kind="stable")]
    return np.sort(order[::2]), np.sort(order[1::2])


def tune_threshold(
    counts: np.ndarray, thresholds: Sequence[float] = THRESHOLDS, score: Score = pooled
) -> float:
    """Return the threshold with the best score of `(N, T, 4)` counts; of equals, nearest 0.5."""
    _check(counts, thresholds)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a threshold without any score is not chosen
        scores = np.array([score(counts[:, place]) for place in range(len(thresholds))])
    scores = np.where(np.isnan(scores), -np.inf, scores)
    best = [threshold for threshold, s in zip(thresholds, scores, strict=True) if s == scores.max()]
    return min(best, key=lambda threshold: abs(threshold - 0.5))


def tuned_score(
    counts: np.ndarray,
    groups: np.ndarray,
    thresholds: Sequence[float] = THRESHOLDS,
    score: Score = pooled,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the threshold tuned on one half of the images, and its score on the other half.

    A threshold that is scored on the images that chose it looks better than it is.
    """
    one, other = split_half(groups, seed)
    threshold = tune_threshold(counts[one], thresholds, score)
    return threshold, score(at_threshold(counts[other], threshold, thresholds))


def at_threshold(
    counts: np.ndarray, threshold: float, thresholds: Sequence[float] = THRESHOLDS
) -> np.ndarray:
    """Return the `(N, 4)` counts at one of the T thresholds of `(N, T, 4)`."""
    _check(counts, thresholds)
    if threshold not in thresholds:
        raise KitError(f"expected a threshold of {tuple(thresholds)}, got {threshold}; choose one")
    return counts[:, list(thresholds).index(threshold)]


def _check(counts: np.ndarray, thresholds: Sequence[float]) -> None:
    if counts.ndim != 3 or counts.shape[1:] != (len(thresholds), 4):
        raise KitError(
            f"expected counts (N, {len(thresholds)}, 4), got {counts.shape}; "
            "gather threshold_counts at the thresholds that are scored"
        )


def _scored(target: np.ndarray, prediction: np.ndarray, score: GroupedScore, at: Pick) -> float:
    """Score what an evaluation gathered; `at` picks the counts of the predictions."""
    if len(target) == 0:
        return undefined("segmentation: the fold is empty")
    groups, counts = pool_images(target, at(np.asarray(prediction)))
    return float("nan") if (counts < 0).any() else float(score(groups, counts))


def _tuned(groups: np.ndarray, counts: np.ndarray, thresholds: Sequence[float]) -> float:
    if len(groups) < 2:
        return undefined("tuned_iou: one image cannot be split into halves")
    return tuned_score(counts, groups, thresholds)[1]


def _all_groups(_: np.ndarray, counts: np.ndarray, score: Score) -> float:
    return score(counts)


def _group_mean(groups: np.ndarray, counts: np.ndarray) -> float:
    there = counts.any(1)  # an image of which no pixel counts says nothing of its group
    if not there.any():
        return undefined("iou: no pixel counts")
    return float(np.mean(list(per_group(counts[there], groups[there]).values())))


def _mean_class_iou(tables: np.ndarray) -> float:
    if not tables.any():
        return undefined("class_iou: no pixel counts")
    return float(np.nanmean(class_iou(tables)))


def _class_accuracy(tables: np.ndarray) -> float:
    if not tables.any():
        return undefined("class_accuracy: no pixel counts")
    return float(np.trace(tables.sum(0)) / tables.sum())


def _tables(prediction: np.ndarray) -> np.ndarray:
    if prediction.ndim != 3 or prediction.shape[1] != prediction.shape[2]:
        raise KitError(
            f"expected confusion matrices (N, C, C), got {prediction.shape}; gather confusion"
        )
    return prediction


def binary_metrics(
    threshold: float = 0.5, thresholds: Sequence[float] = THRESHOLDS
) -> dict[str, Metric]:
    """Return the metrics of one foreground class, scored at one of the T thresholds.

    Only `tuned_iou` finds its own: tuned on one half of the images, it scores the other half.
    """
    scores: dict[str, Score] = {
        "iou": pooled,
        "dice": partial(pooled, ratio=dice),
        "pixel_accuracy": partial(pooled, ratio=pixel_accuracy),
        "iou_per_image": per_image,
        "dice_per_image": partial(per_image, ratio=dice),
    }
    grouped: dict[str, GroupedScore] = {
        name: partial(_all_groups, score=score) for name, score in scores.items()
    }
    grouped["iou_per_group"] = _group_mean
    at = partial(at_threshold, threshold=threshold, thresholds=thresholds)
    metrics = {
        name: Metric(name, partial(_scored, score=score, at=at)) for name, score in grouped.items()
    }
    tuned = partial(_scored, score=partial(_tuned, thresholds=thresholds), at=np.asarray)
    return {**metrics, "tuned_iou": Metric("tuned_iou", tuned)}


CLASS_METRICS: dict[str, Metric] = {
    name: Metric(name, partial(_scored, score=partial(_all_groups, score=score), at=_tables))
    for name, score in (("class_iou", _mean_class_iou), ("class_accuracy", _class_accuracy))
}

METRICS: dict[str, Metric] = {**binary_metrics(), **CLASS_METRICS}
