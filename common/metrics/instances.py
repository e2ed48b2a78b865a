"""Scores of instance masks: which predicted object is which true one, over thresholds of IoU.

Label maps are `(H, W)` int: 0 for the background, each other value one instance. Out-of-fold files
hold counted pixels only, so these are for label maps at hand (see `common.inference.instances`);
`kit oof --parts` predicts the pictures again for them.
"""

from collections.abc import Sequence

import numpy as np

from common.errors import KitError
from common.metrics.checks import undefined

THRESHOLDS = np.linspace(0.5, 0.95, 10)  # of 2018's Data Science Bowl; a hit has a larger IoU


def instance_ious(truth: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return `(A, P)` IoU of A true and P predicted instances of one image, by ascending label."""
    if truth.shape != prediction.shape or truth.ndim != 2:
        raise KitError(
            f"expected two label maps (H, W), got {truth.shape} and {prediction.shape}; resize the "
            "prediction to its image"
        )
    true, actual = np.unique(truth, return_inverse=True)
    found, said = np.unique(prediction, return_inverse=True)
    ious = label_ious(actual.ravel(), said.ravel(), len(true), len(found))
    return ious[true != 0][:, found != 0]


def label_ious(truth: np.ndarray, prediction: np.ndarray, true: int, found: int) -> np.ndarray:
    """Return `(true, found)` IoU of labels 0 to `true` - 1 and 0 to `found` - 1 of `(P,)` pixels.

    A label that is nowhere has none with any other: 0.
    """
    pairs = truth.astype(np.int64) * found + prediction
    shared = np.bincount(pairs, minlength=true * found).reshape(true, found)
    union = shared.sum(1, keepdims=True) + shared.sum(0) - shared
    return shared / np.maximum(union, 1)


def instance_counts(
    truth: np.ndarray, prediction: np.ndarray, thresholds: np.ndarray = THRESHOLDS
) -> np.ndarray:
    """Return `(T, 3)` int64 hits, false alarms and misses of one image.

    From 0.5 on an instance can overlap so much with one other only, so nothing has to be matched.
    """
    if np.min(thresholds) < 0.5:
        raise KitError(f"expected thresholds of IoU from 0.5 on, got {np.min(thresholds)}")
    ious = instance_ious(truth, prediction)
    hits = np.array([(ious > t).sum() for t in thresholds], np.int64)
    return np.stack([hits, ious.shape[1] - hits, ious.shape[0] - hits], 1)


def instance_precision(
    truths: Sequence[np.ndarray],
    predictions: Sequence[np.ndarray],
    thresholds: np.ndarray = THRESHOLDS,
    empty: float = 1.0,
) -> float:
    """Return the mean over images and thresholds of TP / (TP + FP + FN), as Kaggle scores nuclei.

    An image without instances in truth and prediction scores `empty`.
    """
    if len(truths) != len(predictions):
        raise KitError(f"expected {len(truths)} predictions, got {len(predictions)}; one per image")
    if not len(truths):
        return undefined("instance_precision: the fold is empty")
    counts = [
        instance_counts(truth, prediction, thresholds)
        for truth, prediction in zip(truths, predictions, strict=True)
    ]
    hits, total = np.array(counts)[..., 0], np.array(counts).sum(-1)
    return float(np.where(total > 0, hits / np.maximum(total, 1), empty).mean())
