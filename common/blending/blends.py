"""Every way of blending, scored nested by fold: what is tuned for a fold never saw it."""

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from common.blending import stacking
from common.blending.boxes import equal_boxes, tuned_boxes
from common.blending.members import Members
from common.blending.weights import hill_climb, optimise
from common.config import Config
from common.inference.ways import combine, ranks_among, way_of
from common.metrics.base import Metric
from common.metrics.nested import by_other_folds, take

HOWS = ("mean", "rank", "geometric", "power", "hill", "optimise", "stack")
TUNED = ("hill", "optimise", "stack")  # that find weights of their own
LINEAR = ("mean", "hill", "optimise")  # that are weighted means
VALUE_HOWS = LINEAR  # of numbers in units that are to stay
BOX_HOWS = ("mean", "optimise")  # weighted boxes fusion, as it is or tuned
POWERS = (0.25, 0.5, 2.0, 4.0)  # of which the best is taken


class Blend(NamedTuple):
    """One way of blending."""

    how: str
    prediction: Any  # out of fold, nested
    weights: list[float] | None  # by member, from all folds; None: a stack has none
    options: dict[str, Any]  # what else was tuned on all folds


def hows_of(config: Config) -> tuple[str, ...]:
    """Return the ways in which predictions of a kind can be blended."""
    return {"detection": BOX_HOWS, "regression": VALUE_HOWS}.get(config.kind, HOWS)


def make_blend(how: str, members: Members, metric: Metric, weights: np.ndarray) -> Blend:
    """Return the out-of-fold predictions of one way of `hows_of`."""
    if members.config.task == "detection":
        gain = partial(gain_of, metric)
        return Blend(
            how,
            *(
                tuned_boxes(members, gain)
                if how == "optimise"
                else equal_boxes(members, gain, weights)
            ),
        )
    stacked = np.stack(members.predictions).astype(np.float64)
    target, folds, several = members.target, members.folds, members.config.multilabel
    if how == "stack":
        models = stacking.describe(stacking.fit_stack(stacked, target))
        return Blend(how, _stack(stacked, target, folds, several), None, {"models": models})
    if how == "power":
        return _power(stacked, target, folds, several, metric, weights)
    if how in ("hill", "optimise"):
        return _weighted(how, stacked, target, folds, metric)
    said = np.stack([ranks(p, folds) for p in stacked]) if how == "rank" else stacked
    return Blend(how, combine(way_of(how, several), said, weights), weights.tolist(), {})


def ranks(prediction: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Return `(N, C)` ranks between 0 and 1 of each column, within each fold.

    Each fold has a model of its own, whose probabilities need not be on the scale of the others'.
    """
    found = np.empty(prediction.shape, np.float64)
    for fold in np.unique(folds):
        rows = folds == fold
        found[rows] = ranks_among(prediction[rows], np.sort(prediction[rows], axis=0))
    return found


def gain_of(metric: Metric, target: Any, prediction: Any) -> float:
    """Return the score, the more the better, without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = float(metric.function(target, prediction))
    return found if metric.maximise else -found


def _weighted(
    how: str, stacked: np.ndarray, target: np.ndarray, folds: np.ndarray, metric: Metric
) -> Blend:
    find: Callable[..., np.ndarray] = {"hill": hill_climb, "optimise": optimise}[how]
    mean = partial(combine, way_of("mean", True))

    def fit(rows: np.ndarray) -> np.ndarray:
        truth, said = take(target, rows), stacked[:, rows]
        return find(lambda w: gain_of(metric, truth, mean(said, w)), len(stacked))

    nested = by_other_folds(lambda rows, others: mean(stacked[:, rows], fit(others)), folds)
    return Blend(how, nested, fit(np.arange(len(folds))).tolist(), {})


def _power(
    stacked: np.ndarray,
    target: np.ndarray,
    folds: np.ndarray,
    several: bool,
    metric: Metric,
    weights: np.ndarray,
) -> Blend:
    made = {e: combine(way_of("power", several, e), stacked, weights) for e in POWERS}

    def fit(rows: np.ndarray) -> float:
        return max(made, key=lambda e: gain_of(metric, target[rows], made[e][rows]))

    nested = by_other_folds(lambda rows, others: made[fit(others)][rows], folds)
    return Blend("power", nested, weights.tolist(), {"power": fit(np.arange(len(folds)))})


def _stack(stacked: np.ndarray, target: np.ndarray, folds: np.ndarray, several: bool) -> np.ndarray:
    apply = partial(stacking.apply_stack, multilabel=several)
    return by_other_folds(
        lambda rows, others: apply(
            stacking.fit_stack(stacked[:, others], target[others]), stacked[:, rows]
        ),
        folds,
    )
