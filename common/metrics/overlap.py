"""Ratios of counted pixels: of all, of each image, of each group, of each class.

Counts are `(..., 4)` int64 true positives, false positives, false negatives and true negatives.
Pooled scores add up pixels before they divide; per-image scores divide first.
"""

from collections.abc import Callable

import numpy as np

from common.errors import KitError
from common.metrics.checks import undefined

Ratio = Callable[[np.ndarray], np.ndarray]  # (..., 4) counts -> (...) float, NaN where 0 / 0


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
    scores Dice, since nothing is what was to be found. An image of which no pixel counts has none.
    """
    if (counts < 0).any():
        return float("nan")
    counts = counts[counts.sum(1) > 0]
    if not len(counts):
        return undefined(f"{ratio.__name__}: no pixel counts")
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


def pool_images(target: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return groups `(M,)` and counts `(M, ...)` of M images, by ascending code.

    Args:
        target: `(N, 2)` int64, group and image code of each window.
        counts: `(N, ...)` int64 counts of each window; one of -1 makes its image -1.
    """
    target = np.asarray(target)
    if target.ndim != 2 or target.shape != (len(counts), 2):
        raise KitError(
            f"expected a target (N, 2) of group and image codes for {len(counts)} windows, got "
            f"{target.shape}; stack both columns"
        )
    codes, first, image = np.unique(target[:, 1], return_index=True, return_inverse=True)
    pooled_counts = np.zeros((len(codes), *counts.shape[1:]), np.int64)
    np.add.at(pooled_counts, image, counts)
    pooled_counts[image[(counts < 0).reshape(len(counts), -1).any(1)]] = -1
    return target[first, 0], pooled_counts
