"""Ways to make one prediction of several, given their weights.

Predictions are `(M, N, C)` probabilities of M members, weights `(M,)` that add up to 1.
"""

from collections.abc import Callable, Sequence

import numpy as np

from common.errors import KitError

TINY = 1e-7
POWERS = (0.25, 0.5, 2.0, 4.0)  # of which the best is taken

Combine = Callable[[np.ndarray, np.ndarray], np.ndarray]


def mean(predictions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the `(N, C)` weighted mean."""
    return np.tensordot(weights, predictions, 1)


def geometric(predictions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the `(N, C)` weighted geometric mean, which a single doubt pulls down."""
    return np.exp(mean(np.log(np.clip(predictions, TINY, 1)), weights))


def power(predictions: np.ndarray, weights: np.ndarray, exponent: float) -> np.ndarray:
    """Return the `(N, C)` weighted power mean: above 1 the sure members count for more."""
    return mean(predictions**exponent, weights) ** (1 / exponent)


def ranks(prediction: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return `(N, C)` ranks between 0 and 1 of each column, within each fold.

    Each fold has a model of its own, whose probabilities need not be on the scale of the others'.
    """
    from scipy.stats import rankdata

    found = np.empty(prediction.shape, np.float64)
    for fold in np.unique(folds):
        rows = folds == fold
        found[rows] = rankdata(prediction[rows], axis=0) / (rows.sum() + 1)
    return found


def normalised(prediction: np.ndarray, multilabel: bool) -> np.ndarray:
    """Return probabilities whose rows add up to 1 where a sample has one class."""
    if multilabel:
        return prediction
    return prediction / np.maximum(prediction.sum(1, keepdims=True), TINY)


def check_weights(text: str, names: Sequence[str]) -> np.ndarray:
    """Return `(M,)` weights from `0.6,0.4`; all alike where the text is empty.

    Raises:
        KitError: other than M numbers of 0 or more that add up to 1.
    """
    if not text:
        return np.full(len(names), 1 / len(names))
    try:
        weights = np.array([float(word) for word in text.split(",")])
    except ValueError:
        raise KitError(f"expected --weights such as 0.6,0.4, got '{text}'") from None
    if len(weights) != len(names):
        raise KitError(
            f"expected {len(names)} weights, one for each of {', '.join(names)}, got {len(weights)}"
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise KitError(f"expected weights of 0 or more, got {text}; leave a bad member out")
    if abs(weights.sum() - 1) > 1e-3:
        total = weights.sum()
        fitting = ",".join(f"{w / total:.4g}" for w in weights) if total else "equal ones"
        raise KitError(f"expected weights that add up to 1, got {total:g}; give {fitting}")
    return weights / weights.sum()
