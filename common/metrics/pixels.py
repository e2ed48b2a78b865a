"""Counts pixels of masks, all that segmentation scores need, so that no mask has to be kept."""

from collections.abc import Sequence

import numpy as np

from common.errors import KitError

STEPS = 128  # thresholds are multiples of 1 / STEPS, and one uint8 holds probability and truth
THRESHOLDS = tuple(step / 32 for step in range(1, 32))


def counts(pred: np.ndarray, target: np.ndarray, ignore: int | None = None) -> np.ndarray:
    """Return `(N, 4)` int64 true positives, false positives, false negatives, true negatives.

    Args:
        pred: `(N, H, W)` bool or 0/1.
        target: `(N, H, W)` of the same; `ignore` marks pixels that do not count.
        ignore: that value, or None.
    """
    table = confusion(pred != 0, target if ignore is not None else target != 0, 2, ignore)
    return table.reshape(-1, 4)[:, [3, 1, 2, 0]]


def confusion(
    pred: np.ndarray, target: np.ndarray, num_classes: int, ignore: int | None = None
) -> np.ndarray:
    """Return `(N, C, C)` int64 pixels per image, actual classes in rows, predicted in columns.

    Args:
        pred: `(N, H, W)` classes.
        target: `(N, H, W)` classes; `ignore` marks pixels that do not count.
        num_classes: C.
        ignore: that value, or None.
    """
    if pred.shape != target.shape or pred.ndim != 3:
        raise KitError(
            f"expected two masks (N, H, W), got {pred.shape} and {target.shape}; "
            "resize the prediction to its image"
        )
    cells = num_classes**2
    small = np.uint8 if cells <= 256 else np.int64  # counting bytes is ten times as fast
    tables = []
    for guess, truth in zip(pred, target, strict=True):
        if ignore is not None:
            guess, truth = guess[truth != ignore], truth[truth != ignore]
        for name, mask in (("prediction", guess), ("target", truth)):
            _check_range(name, mask, num_classes - 1)
        key = truth.astype(small) * small(num_classes) + guess.astype(small)
        tables.append(_count(key, cells))
    return np.array(tables, np.int64).reshape(-1, num_classes, num_classes)


def threshold_counts(
    probabilities: np.ndarray,
    target: np.ndarray,
    thresholds: Sequence[float] = THRESHOLDS,
    ignore: int | None = None,
) -> np.ndarray:
    """Return `(T, 4)` int64 counts of one image, foreground being what reaches the threshold.

    All are -1 where a probability that counts is NaN.

    One pass over the pixels, whatever T: a byte per pixel holds its probability in steps of 1/128
    and its truth, and is counted. Exact, since thresholds must be multiples of 1/128.

    Args:
        probabilities: `(H, W)` float in 0..1.
        target: `(H, W)` bool or 0/1; `ignore` marks pixels that do not count.
        thresholds: T of them, ascending.
        ignore: that value, or None.
    """
    if probabilities.shape != target.shape:
        raise KitError(
            f"expected probabilities and target of one shape, got {probabilities.shape} and "
            f"{target.shape}; resize the prediction to its image"
        )
    steps = np.array(thresholds, np.float64) * STEPS
    if (steps != steps.round()).any() or not ((steps > 0) & (steps < STEPS)).all():
        raise KitError(
            f"expected thresholds that are multiples of 1/{STEPS} between 0 and 1, "
            f"got {tuple(thresholds)}; round them"
        )
    if ignore is not None:
        probabilities, target = probabilities[target != ignore], target[target != ignore]
    if np.isnan(np.max(probabilities, initial=0)):
        return np.full((len(steps), 4), -1, np.int64)
    _check_range("probabilities", probabilities, 1)
    _check_range("target", target, 1)
    key = np.minimum(probabilities * STEPS, STEPS - 1).astype(np.uint8)
    key |= target.astype(np.uint8) << 7
    per_step = _count(key, 2 * STEPS).reshape(2, STEPS)
    below = np.cumsum(per_step, 1)[:, steps.astype(np.int64) - 1]
    above = per_step.sum(1, keepdims=True) - below
    return np.stack([above[1], above[0], below[1], below[0]], 1)


def _count(key: np.ndarray, cells: int) -> np.ndarray:
    """Return how often each of the cells occurs; torch counts bytes without widening them."""
    import torch

    return torch.bincount(torch.from_numpy(key.ravel()), minlength=cells).numpy()


def _check_range(name: str, values: np.ndarray, high: int) -> None:
    least, most = values.min(initial=0), values.max(initial=0)
    if least < 0 or most > high:
        raise KitError(
            f"expected {name} in 0..{high}, got {least}..{most}; "
            "apply the sigmoid, divide a 0/255 mask by 255, or mend the classes"
        )
