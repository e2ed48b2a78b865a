"""Masks by their parts: what is counted if parts below some area are left out, for many areas.

A part is what hangs together (corners, too) of one class. Nothing is said of pixels that count
nowhere: they are background before parts are looked for, so what is predicted there changes
nothing.
"""

from collections.abc import Callable, Sequence

import cv2
import numpy as np

from common.errors import KitError
from common.keys import IGNORE
from common.metrics.instances import THRESHOLDS, label_ious

LEVELS = tuple(step / 16 for step in range(2, 15))  # probabilities that are tried as thresholds
AREAS = (0, *(2**power for power in range(2, 17)))  # pixels that are tried as the least area

Labeller = Callable[[np.ndarray], np.ndarray]  # (H, W) bool -> (H, W) int, objects 1 to K


def parts_of(foreground: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `(H, W)` int32 parts of a bool mask, 0 the background, and all `(K + 1,)` areas."""
    plain = np.ascontiguousarray(foreground).view(np.uint8)
    _, labels, stats, _ = cv2.connectedComponentsWithStats(plain, connectivity=8)
    return labels, stats[:, cv2.CC_STAT_AREA].astype(np.int64)


def drop_small(foreground: np.ndarray, least: int) -> np.ndarray:
    """Return the `(H, W)` bool mask without its parts of fewer than `least` pixels."""
    if least < 0:
        raise KitError(f"expected a least area of 0 pixels or more, got {least}; 0 keeps all parts")
    if least < 2:
        return foreground
    labels, areas = parts_of(foreground)
    kept = areas >= least
    kept[0] = False
    return kept[labels]


def part_counts(
    probs: np.ndarray,
    truth: np.ndarray,
    levels: Sequence[float] = LEVELS,
    areas: Sequence[int] = AREAS,
) -> np.ndarray:
    """Return `(T, A, 4)` int64 hits, alarms, misses and true negatives of one picture.

    All are -1 where a probability that counts is NaN.

    Args:
        probs: `(H, W)` float.
        truth: `(H, W)` 0, 1 or IGNORE.
        levels: T thresholds.
        areas: A least areas, in pixels.
    """
    known, there = truth != IGNORE, truth == 1
    probs = np.where(known, probs, 0)
    if np.isnan(probs).any():
        return np.full((len(levels), len(areas), 4), -1, np.int64)
    total, positives = np.count_nonzero(known), np.count_nonzero(there)
    counts = np.zeros((len(levels), len(areas), 4), np.int64)
    for row, level in enumerate(levels):
        labels, sizes = parts_of(probs >= level)
        hits = np.bincount(labels[there], minlength=len(sizes))
        kept = _kept(sizes, areas)
        hit, found = kept @ hits[1:], kept @ sizes[1:]
        columns = (hit, found - hit, positives - hit, total - positives - found + hit)
        counts[row] = np.stack(columns, 1)
    return counts


def part_tables(
    classes: np.ndarray, truth: np.ndarray, num_classes: int, areas: Sequence[int] = AREAS
) -> np.ndarray:
    """Return `(A, C, C)` int64 confusion matrices; small parts of a class become class 0.

    Args:
        classes: `(H, W)` predicted.
        truth: `(H, W)` classes or IGNORE.
        areas: A least areas, in pixels.
    """
    known = truth != IGNORE
    truth = np.where(known, truth, 0).astype(np.int64)
    tables = np.zeros((len(areas), num_classes, num_classes), np.int64)
    tables[:, :, 0] = np.bincount(truth[known], minlength=num_classes)
    for number in range(1, num_classes):
        labels, sizes = parts_of(known & (classes == number))
        pairs = np.bincount((labels * num_classes + truth)[labels > 0])
        pairs = np.append(pairs, np.zeros(len(sizes) * num_classes - len(pairs), np.int64))
        found = _kept(sizes, areas) @ pairs.reshape(-1, num_classes)[1:]
        tables[:, :, number] = found
        tables[:, :, 0] -= found
    return tables


def part_precision(
    probs: np.ndarray,
    objects: np.ndarray,
    known: np.ndarray,
    label: Labeller,
    levels: Sequence[float] = LEVELS,
    areas: Sequence[int] = AREAS,
) -> np.ndarray:
    """Return `(T, A)` precision of the objects of one picture; see `instance_precision`.

    NaN where no pixel counts.

    Args:
        probs: `(H, W)` float.
        objects: `(H, W)` int label map of the true objects.
        known: `(H, W)` bool, which pixels count.
        label: parts a mask into objects 1 to K.
    """
    if not known.any():
        return np.full((len(levels), len(areas)), np.nan)
    true, actual = np.unique(np.where(known, objects, 0), return_inverse=True)
    inside = int(np.searchsorted(true, 0, "right"))  # 0 comes first, if it is there at all
    rows = [
        _precision(
            label(known & (probs >= level)).ravel(), actual.ravel(), len(true), inside, areas
        )
        for level in levels
    ]
    return np.stack(rows)


def _precision(
    said: np.ndarray, actual: np.ndarray, true: int, first: int, areas: Sequence[int]
) -> np.ndarray:
    """Return `(A,)` means over thresholds of IoU; true objects are labels `first` and above."""
    sizes = np.bincount(said, minlength=1)
    ious = label_ious(actual, said, true, len(sizes))[first:, 1:]
    hit = (ious[None] > THRESHOLDS[:, None, None]).any(1)  # (I, K), for each object found
    kept = _kept(sizes, areas)
    hits = kept @ hit.T.astype(np.int64)
    total = (true - first) + kept.sum(1)[:, None] - hits
    return np.where(total > 0, hits / np.maximum(total, 1), 1.0).mean(1)


def _kept(sizes: np.ndarray, areas: Sequence[int]) -> np.ndarray:
    """Return `(A, K)` 0 or 1: which of K parts, the background left out, each least area keeps."""
    return (sizes[None, 1:] >= np.asarray(areas)[:, None]).astype(np.int64)
