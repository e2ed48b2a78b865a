"""What every score shares: shapes are checked; a score that does not exist is NaN, not a crash."""

import warnings
from collections.abc import Callable
from functools import wraps

import numpy as np

from common.errors import KitError

Score = Callable[..., float]


def _check(name: str, target: np.ndarray, prediction: np.ndarray, multi_label: bool) -> None:
    """Raise a KitError unless the shapes and classes fit one another."""
    if prediction.ndim != 2:
        raise KitError(
            f"{name}: expected probabilities of shape (N, C), got {prediction.shape}; "
            "give a binary model two outputs"
        )
    if target.ndim == 2 and not multi_label:
        raise KitError(
            f"{name}: expected classes of shape (N,), got {target.shape}; "
            "for multi-label targets choose another metric"
        )
    expected = prediction.shape if target.ndim == 2 else prediction.shape[:1]
    if target.shape != expected:
        raise KitError(
            f"{name}: target {target.shape} does not fit prediction {prediction.shape}; "
            f"expected target {expected}"
        )
    if target.ndim == 1 and not np.isin(target, np.arange(prediction.shape[1])).all():
        raise KitError(
            f"{name}: expected classes 0..{prediction.shape[1] - 1}, "
            f"got {target.min()}..{target.max()}; make the number of classes fit the labels"
        )


def scored(multi_label: bool) -> Callable[[Score], Score]:
    """Wrap a score: arrays in, shapes checked, NaN for a NaN prediction or an empty fold."""

    def wrap(function: Score) -> Score:
        @wraps(function)
        def checked(target: np.ndarray, prediction: np.ndarray, **options: float) -> float:
            target, prediction = np.asarray(target), np.asarray(prediction, dtype=np.float64)
            _check(function.__name__, target, prediction, multi_label)
            if len(target) == 0:
                return undefined(f"{function.__name__}: the fold is empty")
            if not np.isfinite(prediction).all():
                return float("nan")
            if target.ndim == 1:
                target = target.astype(np.int64)
            return float(function(target, prediction, **options))

        return checked

    return wrap


def undefined(reason: str) -> float:
    """Warn that a score does not exist here and why; return the NaN that stands for it."""
    warnings.warn(f"{reason}; the score is NaN", stacklevel=2)
    return float("nan")
