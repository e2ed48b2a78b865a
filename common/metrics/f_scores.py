"""F-scores by how they are averaged, and Matthews' correlation: all from counts of decisions.

Target: `(N,)` int64 classes, or `(N, C)` 0/1 where a sample may carry several labels. Prediction:
`(N, C)` float probabilities; decided by the largest, several labels by 0.5.
"""

import numpy as np

from common.errors import KitError
from common.metrics.checks import scored, undefined


def decisions(target: np.ndarray, prediction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `(N, C)` bool truth and guess."""
    if target.ndim == 2:
        return target > 0.5, prediction >= 0.5
    classes = np.arange(prediction.shape[1])
    return target[:, None] == classes, prediction.argmax(1)[:, None] == classes


def f_of(truth: np.ndarray, guess: np.ndarray, beta: float, axis: int = 0) -> np.ndarray:
    """Return F-beta along an axis of `(N, C)` bool: 0 over classes, 1 over samples; 0 / 0 is 0.

    `(1 + b^2) TP / ((1 + b^2) TP + b^2 FN + FP)`: a larger beta weighs recall more.
    """
    hits, actual, said = (truth & guess).sum(axis), truth.sum(axis), guess.sum(axis)
    return (1 + beta**2) * hits / np.maximum(beta**2 * actual + said, np.finfo(float).tiny)


@scored(multi_label=True)
def macro_f(target: np.ndarray, prediction: np.ndarray, beta: float = 1.0) -> float:
    """Return the mean F-beta over classes.

    As in scikit-learn, a class neither present nor predicted is left out; a multi-label one is 0.
    """
    truth, guess = decisions(target, prediction)
    values = f_of(truth, guess, beta)
    return values.mean() if target.ndim == 2 else values[(truth | guess).any(0)].mean()


@scored(multi_label=True)
def weighted_f(target: np.ndarray, prediction: np.ndarray, beta: float = 1.0) -> float:
    """Return the mean F-beta over classes, each weighing as many samples as it has."""
    truth, guess = decisions(target, prediction)
    if not truth.any():
        return undefined("weighted_f: no sample carries a label")
    return np.average(f_of(truth, guess, beta), weights=truth.sum(0))


@scored(multi_label=True)
def micro_f(target: np.ndarray, prediction: np.ndarray, beta: float = 1.0) -> float:
    """Return F-beta over all decisions together; of one class per sample it is the accuracy."""
    truth, guess = decisions(target, prediction)
    return f_of(truth.reshape(-1, 1), guess.reshape(-1, 1), beta)[0]


@scored(multi_label=True)
def sample_f(target: np.ndarray, prediction: np.ndarray, beta: float = 1.0) -> float:
    """Return the mean over samples of the F-beta of a sample's labels; nothing right is 0."""
    if target.ndim != 2:
        raise KitError(
            f"sample_f: expected labels of shape (N, C), got {target.shape}; set multilabel=True "
            "or choose macro_f1 for one class per sample"
        )
    return f_of(*decisions(target, prediction), beta, axis=1).mean()


@scored(multi_label=False)
def positive_f(target: np.ndarray, prediction: np.ndarray, beta: float = 1.0) -> float:
    """Return the F-beta of the second of two classes; nothing right is 0."""
    if prediction.shape[1] != 2:
        raise KitError(
            f"positive_f: expected two classes, got {prediction.shape[1]}; choose macro_f1"
        )
    truth, guess = decisions(target, prediction)
    return f_of(truth, guess, beta)[1]


@scored(multi_label=False)
def matthews(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return Matthews' correlation of classes, -1..1, by Gorodkin for more than two (2004).

    As in scikit-learn it is 0 where targets or predictions are all of one class.
    """
    truth, guess = decisions(target, prediction)
    count, actual, said = len(target), truth.sum(0).astype(float), guess.sum(0).astype(float)
    covariance = (truth & guess).sum() * count - actual @ said
    spread = (count**2 - actual @ actual) * (count**2 - said @ said)
    return covariance / np.sqrt(spread) if spread > 0 else 0.0
