"""Drawn masks and probabilities."""

import numpy as np

from common.metrics.pixels import THRESHOLDS, threshold_counts


def draw(seed: int, n: int = 4, size: tuple[int, int] = (9, 11)):
    """Probabilities (many of them on a threshold) and masks that they know something about."""
    rng = np.random.default_rng(seed)
    target = rng.random((n, *size)) < rng.random((n, 1, 1))
    probs = (np.round(rng.random((n, *size)) * 64) / 64 + 0.7 * target).clip(0, 1)
    return probs.astype(np.float32), target


def each(n: int = 4, groups: int = 1) -> np.ndarray:
    """The target of n images of one window each."""
    return np.stack([np.arange(n) % groups, np.arange(n)], 1)


NONE = each()  # of 4 images without groups


def gather(probs: np.ndarray, target: np.ndarray, thresholds=THRESHOLDS) -> np.ndarray:
    return np.stack(
        [threshold_counts(*pair, thresholds) for pair in zip(probs, target, strict=True)]
    )
