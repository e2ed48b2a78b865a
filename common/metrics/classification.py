"""The usual classification scores: target first, prediction second, a float back.

Target: `(N,)` int64 classes, or `(N, C)` 0/1 where a sample may carry several labels. Prediction:
`(N, C)` float probabilities. All scores are over the whole fold at once, so the batch size does not
change them. Where a score does not exist it is NaN, with a warning that says why.
"""

import warnings
from functools import partial

import numpy as np

from common.errors import KitError
from common.metrics.base import Metric
from common.metrics.checks import Score, scored, undefined
from common.metrics.columns import mean_average_precision_at, mean_column_log_loss
from common.metrics.f_scores import (
    macro_f,
    matthews,
    micro_f,
    positive_f,
    sample_f,
    weighted_f,
)


def confusion_matrix(target: np.ndarray, prediction: np.ndarray, num_classes: int) -> np.ndarray:
    """Return `(C, C)` int64 counts, actual classes in rows, predicted in columns.

    `prediction` is `(N,)` int classes or `(N, C)` probabilities.
    """
    target, prediction = np.asarray(target), np.asarray(prediction)
    if prediction.ndim == 2:
        prediction = prediction.argmax(1)
    for name, classes in (("target", target), ("prediction", prediction)):
        if len(classes) and not 0 <= classes.min() <= classes.max() < num_classes:
            raise KitError(
                f"confusion_matrix: expected {name} classes 0..{num_classes - 1}, "
                f"got {classes.min()}..{classes.max()}; raise num_classes or mend the labels"
            )
    pairs = target.astype(np.int64) * num_classes + prediction.astype(np.int64)
    return np.bincount(pairs, minlength=num_classes**2).reshape(num_classes, num_classes)


@scored(multi_label=True)
def accuracy(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the share of samples that are right; multi-label: with every label right at 0.5."""
    if target.ndim == 2:
        return ((prediction >= 0.5) == (target > 0.5)).all(1).mean()
    return (prediction.argmax(1) == target).mean()


@scored(multi_label=False)
def top_k_accuracy(target: np.ndarray, prediction: np.ndarray, k: int = 5) -> float:
    """Return the share of samples whose class is among the k likeliest; ties go to the lower."""
    best = np.argsort(-prediction, axis=1, kind="stable")[:, :k]
    return (best == target[:, None]).any(1).mean()


@scored(multi_label=False)
def balanced_accuracy(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the mean recall over the classes that the fold holds."""
    counts = confusion_matrix(target, prediction, prediction.shape[1])
    actual = counts.sum(1)
    return (counts.diagonal()[actual > 0] / actual[actual > 0]).mean()


@scored(multi_label=True)
def log_loss(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the mean cross-entropy in nats; multi-label: over all N x C binary decisions."""
    tiny = np.finfo(np.float64).eps
    prediction = prediction.clip(tiny, 1 - tiny)
    if target.ndim == 2:
        return -np.where(target > 0.5, np.log(prediction), np.log1p(-prediction)).mean()
    return -np.log(prediction[np.arange(len(target)), target]).mean()


@scored(multi_label=False)
def quadratic_kappa(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return Cohen's kappa with quadratic weights over the most probable classes."""
    num_classes = prediction.shape[1]
    counts = confusion_matrix(target, prediction, num_classes)
    chance = np.outer(counts.sum(1), counts.sum(0)) / len(target)
    weights = np.subtract.outer(np.arange(num_classes), np.arange(num_classes)) ** 2
    if not (weights * chance).any():
        return undefined("quadratic_kappa: targets and predictions are all of one class")
    return 1 - (weights * counts).sum() / (weights * chance).sum()


def _one_vs_rest(name: str, score: Score, target: np.ndarray, prediction: np.ndarray) -> float:
    """Average a ranking score over the classes that have positives and negatives."""
    num_classes = prediction.shape[1]
    truth = target > 0.5 if target.ndim == 2 else target[:, None] == np.arange(num_classes)
    if target.ndim == 1 and num_classes == 2:
        truth, prediction = truth[:, 1:], prediction[:, 1:]
    kept = np.flatnonzero(truth.any(0) & ~truth.all(0))
    if len(kept) == 0:
        return undefined(f"{name}: every class lacks positives or negatives")
    if len(kept) < truth.shape[1]:
        missing = sorted(set(range(truth.shape[1])) - set(kept.tolist()))
        warnings.warn(
            f"{name}: classes {missing} lack positives or negatives; left out", stacklevel=2
        )
    return float(np.mean([score(truth[:, c], prediction[:, c]) for c in kept]))


@scored(multi_label=True)
def roc_auc(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the area under the ROC curve: of class 1 of two, else the mean of one against rest."""
    from sklearn.metrics import roc_auc_score

    return _one_vs_rest("roc_auc", roc_auc_score, target, prediction)


@scored(multi_label=True)
def average_precision(target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the average precision: of class 1 of two, else the mean of one against rest."""
    from sklearn.metrics import average_precision_score

    return _one_vs_rest("average_precision", average_precision_score, target, prediction)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", accuracy),
        Metric("top_3_accuracy", partial(top_k_accuracy, k=3)),
        Metric("top_5_accuracy", partial(top_k_accuracy, k=5)),
        Metric("macro_f1", macro_f),
        Metric("macro_f2", partial(macro_f, beta=2)),
        Metric("macro_f05", partial(macro_f, beta=0.5)),
        Metric("weighted_f1", weighted_f),
        Metric("micro_f1", micro_f),
        Metric("sample_f1", sample_f),  # several labels only
        Metric("sample_f2", partial(sample_f, beta=2)),
        Metric("positive_f1", positive_f),  # two classes only
        Metric("positive_f2", partial(positive_f, beta=2)),
        Metric("positive_f05", partial(positive_f, beta=0.5)),
        Metric("matthews", matthews),
        Metric("balanced_accuracy", balanced_accuracy),
        Metric("log_loss", log_loss, maximise=False),
        Metric("mean_column_log_loss", mean_column_log_loss, maximise=False),
        Metric("roc_auc", roc_auc),
        Metric("mean_column_auc", roc_auc),  # Kaggle's name of it
        Metric("average_precision", average_precision),
        Metric("map_3", partial(mean_average_precision_at, k=3)),
        Metric("map_5", partial(mean_average_precision_at, k=5)),
        Metric("map_12", partial(mean_average_precision_at, k=12)),
        Metric("quadratic_kappa", quadratic_kappa),
    )
}
