"""Which decisions each metric leaves open: thresholds, cut points, confidences."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from common.config import Config
from common.keys import BOXES, SCORES
from common.metrics.base import Metric
from common.metrics.decisions import GRID, best_threshold, cut, is_decided
from common.metrics.detection import (
    USUAL_CONFIDENCE,
    tune_confidence,
    wheat_score,
)
from common.metrics.matching import separate_classes
from common.metrics.nested import Rule
from common.metrics.pixels import THRESHOLDS
from common.metrics.searches import best_of, search_cuts, search_thresholds
from common.metrics.segmentation import binary_metrics

ORDINAL = ("quadratic_kappa",)  # metrics in which a near miss counts for something
GRADE_RULE = "cut points of the expected class"
BY_CONFIDENCE = ("wheat_score", "cross_tuned_wheat_score")
MANY = 40  # labels from which on one threshold serves all
SMALLEST = (0.5, 1.0, 2.0, 5.0, 10.0)  # percentiles of the true areas, below which boxes go


def rules_for(metric: Metric, config: Config, target: Any, prediction: Any) -> Iterator[Rule]:
    """Yield the decisions that can be tuned for a metric; none for one that ranks or weighs."""
    if config.kind == "regression":
        return
    if config.task == "detection":
        if metric.name in BY_CONFIDENCE:
            yield from _box_rules(metric)
    elif config.task == "segmentation":
        if prediction.shape[1:] == (len(THRESHOLDS), 4) and metric.name in SINGLE:
            yield _mask_rule(SINGLE[metric.name])
    elif metric.name in ORDINAL and prediction.shape[1] > 2:
        yield _ordinal_rule(metric, prediction.shape[1])
    elif _is_yes_or_no(target, prediction) and is_decided(metric, target, prediction):
        yield from _threshold_rules(metric, target.ndim == 2, prediction.shape[1])


def _is_yes_or_no(target: np.ndarray, prediction: np.ndarray) -> bool:
    return target.ndim == 2 or prediction.shape[1] == 2


def _threshold_rules(metric: Metric, several: bool, labels: int) -> Iterator[Rule]:
    def fit(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        found, _ = best_threshold(target, prediction, metric)
        return np.array([found if np.isfinite(found) else 0.5])

    def apply(prediction: np.ndarray, values: np.ndarray) -> np.ndarray:
        return cut(prediction, values if several else values[0], several)

    yield Rule("threshold", fit, apply, metric.function, np.array([0.5]))
    if several and 1 < labels <= MANY:
        each = partial(search_thresholds, metric=metric, grid=GRID)
        yield Rule("threshold per class", each, apply, metric.function, np.full(labels, 0.5))


def _ordinal_rule(metric: Metric, num_classes: int) -> Rule:
    def apply(prediction: np.ndarray, values: np.ndarray) -> np.ndarray:
        return np.eye(num_classes)[np.searchsorted(values, expected_class(prediction), "right")]

    def fit(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        return search_cuts(
            expected_class(prediction),
            num_classes,
            lambda cuts: metric.function(target, apply(prediction, cuts)),
            metric.maximise,
        )

    usual = np.arange(num_classes - 1) + 0.5
    return Rule(GRADE_RULE, fit, apply, metric.function, usual)


def expected_class(prediction: np.ndarray) -> np.ndarray:
    """Return `(N,)` the mean class by `(N, C)` probabilities: 1.7 lies between 1 and 2."""
    return prediction @ np.arange(prediction.shape[1])


def _box_rules(metric: Metric) -> Iterator[Rule]:
    apart = metric.name == "cross_tuned_wheat_score"  # which matches classes apart

    def classes(items: Any) -> Any:
        return separate_classes(items) if apart else items

    def score(target: Any, prediction: Any) -> float:
        return wheat_score(classes(target), classes(prediction))

    def confidence(target: Any, prediction: Any) -> np.ndarray:
        found, _ = tune_confidence(classes(target), classes(prediction))
        return np.array([found if np.isfinite(found) else USUAL_CONFIDENCE])

    def both(target: Any, prediction: Any) -> np.ndarray:
        least = confidence(target, prediction)[0]
        areas = np.concatenate([np.zeros(1), *(_areas(item[BOXES]) for item in target)])
        cuts = [0.0, *np.percentile(areas[1:], SMALLEST)] if len(areas) > 1 else [0.0]
        grid = [np.array([least, area]) for area in cuts]
        return best_of(grid, lambda values: score(target, keep_boxes(prediction, values)), True)

    usual = np.array([USUAL_CONFIDENCE])
    yield Rule("confidence", confidence, keep_boxes, score, usual)
    yield Rule("confidence and least area", both, keep_boxes, score, np.append(usual, 0.0))


def keep_boxes(predictions: Any, values: np.ndarray) -> list[dict[str, np.ndarray]]:
    """Return predictions without boxes under a confidence and, if given, an area in pixels."""
    kept = []
    for item in predictions:
        rows = item[SCORES] >= values[0]
        if len(values) > 1:
            rows &= _areas(item[BOXES]) >= values[1]
        kept.append({key: column[rows] for key, column in item.items()})
    return kept


def _areas(boxes: np.ndarray) -> np.ndarray:
    boxes = np.asarray(boxes, np.float64).reshape(-1, 4)
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def _mask_rule(metric: Metric) -> Rule:
    def apply(prediction: np.ndarray, values: np.ndarray) -> np.ndarray:
        place = THRESHOLDS.index(float(values[0]))
        return prediction[:, place : place + 1]

    def fit(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
        grid = sorted((np.array([t]) for t in THRESHOLDS), key=lambda t: abs(t[0] - 0.5))
        return best_of(
            grid, lambda t: metric.function(target, apply(prediction, t)), metric.maximise
        )

    return Rule("threshold of the mask", fit, apply, metric.function, np.array([0.5]))


SINGLE = binary_metrics(threshold=0.5, thresholds=(0.5,))  # of counts at one threshold, any
SINGLE.pop("tuned_iou")  # finds its own
