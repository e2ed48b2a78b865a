"""Which scores there are, samples for them, and the same scores by scikit-learn."""

import numpy as np
from sklearn import metrics as reference

from common.metrics.classification import METRICS

MULTI_LABEL = (
    *("accuracy", "macro_f1", "macro_f2", "macro_f05", "weighted_f1", "micro_f1"),
    *("sample_f1", "sample_f2", "log_loss", "mean_column_log_loss", "roc_auc", "mean_column_auc"),
    *("average_precision", "map_3", "map_5", "map_12"),
)
LABELS_ONLY = ("sample_f1", "sample_f2")
TWO_CLASSES = ("positive_f1", "positive_f2", "positive_f05")
CLASSES = sorted(set(METRICS) - set(LABELS_ONLY) - set(TWO_CLASSES))
TOP = ("top_3_accuracy", "top_5_accuracy", "map_3", "map_5", "map_12")
OPTIONS = {"multi_class": "ovr", "average": "macro"}


def draw(num_classes: int, seed: int, ties: bool = False, n: int = 60):
    """Classes that all occur, and probabilities that know a little about them."""
    rng = np.random.default_rng(seed)
    target = np.append(np.arange(num_classes), rng.integers(num_classes, size=n - num_classes))
    logits = rng.normal(size=(n, num_classes)) + 1.5 * np.eye(num_classes)[target]
    if ties:
        logits = np.round(logits)
    probs = np.exp(logits)
    return target, probs / probs.sum(1, keepdims=True)


def draw_labels(num_classes: int, seed: int, n: int = 40):
    rng = np.random.default_rng(seed)
    target = (rng.random((n, num_classes)) < 0.4).astype(np.int64)
    target[0], target[1] = 0, 1
    return target, np.round(rng.random((n, num_classes)) * 0.7 + 0.3 * target, 2)


def scikit(name: str, target: np.ndarray, probs: np.ndarray) -> float:
    """The same score by scikit-learn."""
    guess, labels = probs.argmax(1), np.arange(probs.shape[1])
    binary = probs.shape[1] == 2
    positive = probs[:, 1] if binary else probs
    return {
        "accuracy": lambda: reference.accuracy_score(target, guess),
        "macro_f1": lambda: reference.f1_score(target, guess, average="macro"),
        "macro_f2": lambda: reference.fbeta_score(target, guess, beta=2, average="macro"),
        "macro_f05": lambda: reference.fbeta_score(target, guess, beta=0.5, average="macro"),
        "weighted_f1": lambda: reference.f1_score(target, guess, average="weighted"),
        "micro_f1": lambda: reference.f1_score(target, guess, average="micro"),
        "positive_f1": lambda: reference.f1_score(target, guess, zero_division=0),
        "positive_f2": lambda: reference.fbeta_score(target, guess, beta=2, zero_division=0),
        "positive_f05": lambda: reference.fbeta_score(target, guess, beta=0.5, zero_division=0),
        "matthews": lambda: reference.matthews_corrcoef(target, guess),
        "mean_column_log_loss": lambda: np.mean(
            [reference.log_loss(target == c, probs[:, c]) for c in labels]
        ),
        "mean_column_auc": lambda: reference.roc_auc_score(target, positive, **OPTIONS),
        "balanced_accuracy": lambda: reference.balanced_accuracy_score(target, guess),
        "log_loss": lambda: reference.log_loss(target, probs, labels=labels),
        "roc_auc": lambda: reference.roc_auc_score(target, positive, **OPTIONS),
        "average_precision": lambda: reference.average_precision_score(target, positive),
        "quadratic_kappa": lambda: reference.cohen_kappa_score(
            target, guess, weights="quadratic", labels=labels
        ),
    }[name]()
