"""Which labels are probably wrong, from the predictions of a model that never saw them.

Truth: `(N,)` int classes, or `(N, C)` 0/1 where images have several labels. Prediction: `(N, C)`
probabilities. A doubt is 0 where the label is sure to be right and 1 where it is sure to be wrong;
a NaN prediction says nothing and gives NaN.
"""

import numpy as np

SMALLEST = 1e-7  # probability; a model that is surer than that is not more of a witness
BEST_SHARE = 0.25  # of the epochs, by validation loss: unripe and overfitted ones are no witnesses


def label_doubts(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return `(N, C)` doubts in every label, or `(N, 1)` in the one: 1 - self-confidence.

    Self-confidence is the probability of what is given (Northcutt et al. 2021).
    """
    if target.ndim == 2:
        return np.where(target > 0.5, 1 - prediction, prediction)
    return 1 - np.take_along_axis(prediction, target[:, None], 1)


def margin_doubts(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return `(N,)` doubts by normalised margin: that to the likeliest other class, in 0..1."""
    rows = np.arange(len(target))
    others = prediction.copy()
    others[rows, target] = -np.inf
    return (others.max(1) - prediction[rows, target] + 1) / 2


def given_losses(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return `(N,)` float32 -log of the probability of the label, of several the least likely."""
    doubts = label_doubts(target, prediction).max(1)
    return -np.log(np.maximum(1 - doubts, SMALLEST)).astype(np.float32)


def class_thresholds(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return `(C,)`: how probable a class is on average where it is given; absent ones NaN."""
    known = np.isfinite(prediction).all(1)
    count = np.bincount(target[known], minlength=prediction.shape[1])
    given = prediction[known, target[known]]
    total = np.bincount(target[known], weights=given, minlength=prediction.shape[1])
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def confident_labels(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return `(N,)` the class that a sample confidently is, or the given one where there is none.

    Confident learning (Northcutt, Jiang, Chuang 2021): a sample counts for a class that is at least
    as probable as on average where it is given; of several the most probable. Where that is not the
    given one, the label is off the diagonal of the confident joint: probably wrong.
    """
    reached = prediction >= class_thresholds(target, prediction)  # False for NaN
    best = np.where(reached, prediction, -1).argmax(1)
    return np.where(reached.any(1), best, target)


def confident_doubts(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return `(N,)` doubts by the margin of probabilities that are adjusted by class thresholds."""
    usual = np.nan_to_num(class_thresholds(target, prediction))
    return (margin_doubts(target, prediction - usual + 1) + 0.5) / 2


def best_epochs(levels: np.ndarray) -> np.ndarray:
    """Return the epochs that bear witness: the quarter with the lowest validation loss.

    Args:
        levels: `(E,)` mean losses; NaN is the worst.
    """
    count = max(1, round(len(levels) * BEST_SHARE))
    return np.sort(np.argsort(np.nan_to_num(levels, nan=np.inf), kind="stable")[:count])


def pool_doubts(losses: np.ndarray) -> np.ndarray:
    """Return `(N,)` doubts from `(M, N)` losses of M models or epochs; NaN is no witness.

    1 - the geometric mean of the probabilities that they give to the label. NaN where there is no
    witness at all.
    """
    known = np.isfinite(losses)
    count = known.sum(0)
    mean = np.where(known, losses, 0).sum(0, dtype=np.float64) / np.maximum(count, 1)
    return np.where(count > 0, -np.expm1(-np.maximum(mean, 0)), np.nan)
