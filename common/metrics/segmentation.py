"""Segmentation scores from counted pixels; thresholds are tuned on the same counts.

What an evaluation gathers of N images (see `common.metrics.pixels`):

- binary: prediction `(N, T, 4)` int64, the true positives, false positives, false negatives and
  true negatives of each image at each of T thresholds (`threshold_counts`);
- classes: prediction `(N, C, C)` int64, a confusion matrix per image (`confusion`);
- target, for both: `(N,)` int64, the group of each image (its city), all 0 where there is none.

Pooled scores add up pixels before they divide; per-image scores divide first. An image counted as
-1 (its probabilities hold NaN) makes a score NaN.
"""

import warnings
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from common.errors import KitError
from common.metrics.base import Metric
from common.metrics.checks import undefined
from common.metrics.pixels import THRESHOLDS

Ratio = Callable[[np.ndarray], np.ndarray]  # (..., 4) counts -> (...) float, NaN where 0 / 0
Score = Callable[[np.ndarray], float]  # (N, 4) counts of N images -> one number
GroupedScore = Callable[[np.ndarray, np.ndarray], float]  # (N,) groups and (N, 4) counts -> number
Pick = Callable[[np.ndarray], np.ndarray]  # what was gathered -> the counts that are scored


def iou(counts: np.ndarray) -> np.ndarray:
    """Return intersection over union of `(..., 4)` counts; NaN where both masks are empty."""
    hit, alarm, miss, _ = np.moveaxis(np.asarray(counts), -1, 0)
    return _divide(hit, hit + alarm + miss)


def dice(counts: np.ndarray) -> np.ndarray:
    """Return Dice (the F1 of pixels) of `(..., 4)` counts; NaN where both masks are empty."""
    hit, alarm, miss, _ = np.moveaxis(np.asarray(counts), -1, 0)
    return _divide(2 * hit, 2 * hit + alarm + miss)


def pixel_accuracy(counts: np.ndarray) -> np.ndarray:
    """Return the share of pixels that are right of `(..., 4)` counts."""
    counts = np.asarray(counts)
    return _divide(counts[..., 0] + counts[..., 3], counts.sum(-1))


def _divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def pooled(counts: np.ndarray, ratio: Ratio = iou) -> float:
    """Return the ratio of the summed `(N, 4)` counts: large objects count for more than small."""
    if (counts < 0).any():
        return float("nan")
    value = float(ratio(counts.sum(0)))
    return undefined(f"{ratio.__name__}: no foreground to score") if np.isnan(value) else value


def per_image(counts: np.ndarray, ratio: Ratio = iou, empty: float = 1.0) -> float:
    """Return the mean over images of the ratio of `(N, 4)` counts.

    `empty` is the score of an image without foreground in truth and prediction: 1 where Kaggle
    scores Dice, since nothing is what was to be found.
    """
    if (counts < 0).any():
        return float("nan")
    values = ratio(counts)
    return float(np.where(np.isnan(values), empty, values).mean())


def per_group(counts: np.ndarray, groups: np.ndarray, ratio: Ratio = iou) -> dict[int, float]:
    """Return the pooled ratio of each of the `(N,)` groups (of each city), by ascending group."""
    groups = np.asarray(groups)
    return {group: pooled(counts[groups == group], ratio) for group in np.unique(groups).tolist()}


def class_iou(confusion: np.ndarray) -> np.ndarray:
    """Return `(C,)` IoU from `(..., C, C)` pooled counts; NaN for a class that is nowhere."""
    total = confusion.reshape(-1, *confusion.shape[-2:]).sum(0)
    return _divide(total.diagonal(), total.sum(0) + total.sum(1) - total.diagonal())


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
    picked = at(np.asarray(prediction))
    return float("nan") if (picked < 0).any() else float(score(np.asarray(target), picked))


def _all_groups(_: np.ndarray, counts: np.ndarray, score: Score) -> float:
    return score(counts)


def _group_mean(groups: np.ndarray, counts: np.ndarray) -> float:
    return float(np.mean(list(per_group(counts, groups).values())))


def _mean_class_iou(tables: np.ndarray) -> float:
    return float(np.nanmean(class_iou(tables)))


def _class_accuracy(tables: np.ndarray) -> float:
    return float(np.trace(tables.sum(0)) / np.maximum(tables.sum(), 1))


def _tables(prediction: np.ndarray) -> np.ndarray:
    if prediction.ndim != 3 or prediction.shape[1] != prediction.shape[2]:
        raise KitError(
            f"expected confusion matrices (N, C, C), got {prediction.shape}; gather confusion"
        )
    return prediction


def binary_metrics(
    threshold: float = 0.5, thresholds: Sequence[float] = THRESHOLDS
) -> dict[str, Metric]:
    """Return the metrics of one foreground class, scored at one of the T thresholds."""
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
    return {
        name: Metric(name, partial(_scored, score=score, at=at)) for name, score in grouped.items()
    }


CLASS_METRICS: dict[str, Metric] = {
    name: Metric(name, partial(_scored, score=partial(_all_groups, score=score), at=_tables))
    for name, score in (("class_iou", _mean_class_iou), ("class_accuracy", _class_accuracy))
}

METRICS: dict[str, Metric] = {**binary_metrics(), **CLASS_METRICS}
