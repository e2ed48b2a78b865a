"""How sure is the model, and where would the best threshold be?"""

import numpy as np
from matplotlib.figure import Figure

from common.callbacks.looks.base import Look
from common.evaluation import Evaluation
from common.figures.distribution import (
    MAX_ROWS,
    binary_figure,
    classes_figure,
    labels_figure,
    shares,
)
from common.keys import PREDICTION, TARGET
from common.metrics.base import Metric
from common.metrics.classification import METRICS
from common.metrics.curves import ranking_curve
from common.metrics.decisions import best_threshold, is_decided

EDGES = np.linspace(0, 1, 26)
MIDDLE = (0.3, 0.7)  # a binary decision in between is not made yet
SURE = 0.6  # top probability of several classes, below which none is chosen yet


class ClassDistribution(Look):
    """Probabilities by true class, the share that is undecided, the best threshold."""

    def look(self, evaluation: Evaluation) -> None:
        """Log a figure, a histogram and up to three numbers."""
        target, prediction = evaluation[TARGET], evaluation[PREDICTION]
        if not np.isfinite(prediction).all():
            return  # the metrics say so already
        if target.ndim == 2:
            figure = self._labels(target, prediction)
            shown, undecided = prediction, middle_share(prediction)
        elif prediction.shape[1] == 2:
            figure = self._binary(target, prediction)
            shown, undecided = prediction[:, 1], middle_share(prediction[:, 1])
        else:
            shown = prediction.max(1)
            undecided = float((shown < SURE).mean())
            figure = self._several(target, prediction, undecided)
        self.logger.figure("valid/distribution", figure, **self.moment)
        counts, edges = np.histogram(shown, EDGES)
        self.logger.histogram("valid/probability", counts, edges, **self.moment)
        self.logger.scalars({"valid/distribution/undecided": undecided}, **self.moment)

    def _binary(self, target: np.ndarray, prediction: np.ndarray) -> Figure:
        classes, second = self.config.classes, prediction[:, 1]
        groups = {
            f"{name} ({int((target == place).sum()):,})": shares(second[target == place], EDGES)
            for place, name in enumerate(classes)
        }
        line = self._threshold(target, prediction)
        title = f"{middle_share(second):.1%} undecided, between 0.3 and 0.7"
        return binary_figure(EDGES, groups, f"probability of {classes[1]}", title, line, MIDDLE)

    def _several(self, target: np.ndarray, prediction: np.ndarray, undecided: float) -> Figure:
        right, top = prediction.argmax(1) == target, prediction.max(1)
        edges = EDGES[1 / prediction.shape[1] - EDGES[1] <= EDGES]
        outcomes = {
            f"{word} ({int(chosen.sum()):,})": np.histogram(top[chosen], edges)[0] / len(top)
            for word, chosen in (("right", right), ("wrong", ~right))
        }
        given = prediction[np.arange(len(target)), target]
        means = np.bincount(target, given, prediction.shape[1])
        counts = np.bincount(target, minlength=prediction.shape[1])
        order = np.argsort(np.where(counts > 0, means / np.maximum(counts, 1), 2), kind="stable")
        places = order[:MAX_ROWS]
        rows = np.array([shares(given[target == place], EDGES) for place in places])
        title = f"{undecided:.1%} undecided, none reaches {SURE}"
        names = [f"{self.config.classes[place]} ({counts[place]:,})" for place in places]
        return classes_figure(edges, outcomes, rows, names, title, SURE)

    def _labels(self, target: np.ndarray, prediction: np.ndarray) -> Figure:
        places = np.argsort(-target.sum(0), kind="stable")[:MAX_ROWS]
        truth = target > 0.5
        present, absent = (
            np.array([shares(prediction[side[:, c], c], EDGES) for c in places])
            for side in (truth, ~truth)
        )
        curves = [ranking_curve(truth[:, c], prediction[:, c]) for c in places]
        best = [
            float(curve.thresholds[curve.f1.argmax()]) if curve.two_sided else np.nan
            for curve in curves
        ]
        line = self._threshold(target, prediction)
        title = f"{middle_share(prediction):.1%} undecided, between 0.3 and 0.7"
        names = [f"{self.config.classes[c]} ({int(truth[:, c].sum()):,})" for c in places]
        return labels_figure(present, absent, names, np.array(best), line, title)

    def _threshold(self, target: np.ndarray, prediction: np.ndarray) -> tuple[float, str] | None:
        """Return the best threshold and what it is best for, and log it; None if there is none.

        Where the competition's metric ranks or weighs, and so has no threshold, it is macro F1's.
        """
        metric = self._metric(target, prediction)
        threshold, score = best_threshold(target, prediction, metric)
        if not np.isfinite(threshold):
            return None
        values = {"best_threshold": threshold, "best_score": score}
        named = {f"valid/distribution/{name}": value for name, value in values.items()}
        self.logger.scalars(named, **self.moment)
        return threshold, f"best for {metric.name}: {threshold:.2f} ({score:.4g})"

    def _metric(self, target: np.ndarray, prediction: np.ndarray) -> Metric:
        scored = {metric.name: metric for metric in self.learn.evaluate_callback.scored}
        metric = scored.get(self.config.metric)
        if metric is not None and is_decided(metric, target, prediction):
            return metric
        return METRICS["macro_f1"]


def middle_share(probabilities: np.ndarray) -> float:
    """Return the share of probabilities between 0.3 and 0.7."""
    return float(((probabilities > MIDDLE[0]) & (probabilities < MIDDLE[1])).mean())
