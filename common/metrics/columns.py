"""Scores of classes side by side, and of ranked guesses.

Target: `(N,)` int64 classes, or `(N, C)` 0/1 where a sample may carry several labels. Prediction:
`(N, C)` float probabilities.
"""

import numpy as np

from common.metrics.checks import scored


def truth_table(target: np.ndarray, num_classes: int) -> np.ndarray:
    """Return `(N, C)` bool from classes or labels."""
    return target > 0.5 if target.ndim == 2 else target[:, None] == np.arange(num_classes)


@scored(multi_label=True)
def mean_column_log_loss(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the mean over classes of the binary cross-entropy in nats, each class on its own."""
    tiny = np.finfo(np.float64).eps
    prediction = prediction.clip(tiny, 1 - tiny)
    truth = truth_table(target, prediction.shape[1])
    return -np.where(truth, np.log(prediction), np.log1p(-prediction)).mean(0).mean()


@scored(multi_label=True)
def mean_average_precision_at(target: np.ndarray, prediction: np.ndarray, k: int = 5) -> float:
    """Return MAP@k: the mean over samples of the average precision of the k likeliest classes.

    `sum over i <= k of precision(i) * right(i) / min(k, number of true labels)`, Kaggle's; of one
    class per sample that is 1 / rank, or 0 beyond k. A sample without any label scores 0. Of equal
    probabilities the lower class comes first.
    """
    truth = truth_table(target, prediction.shape[1])
    best = np.argsort(-prediction, axis=1, kind="stable")[:, :k]
    right = np.take_along_axis(truth, best, 1)
    precision = np.cumsum(right, 1) / np.arange(1, right.shape[1] + 1)
    most = np.minimum(truth.sum(1), k)
    return ((precision * right).sum(1) / np.maximum(most, 1)).mean()
