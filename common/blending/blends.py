"""Every way of blending, scored nested by fold: what is tuned for a fold never saw it."""

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from common.blending import stacking, ways
from common.blending.members import Members
from common.blending.weights import hill_climb, optimise
from common.config import Config
from common.keys import BOXES
from common.metrics.base import Metric
from common.metrics.nested import by_other_folds, take

HOWS = ("mean", "rank", "geometric", "power", "hill", "optimise", "stack")
TUNED = ("hill", "optimise", "stack")  # that find weights of their own
VALUE_HOWS = ("mean", "hill", "optimise")  # of numbers in units that are to stay
BOX_HOWS = ("mean",)  # weighted boxes fusion


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
        return Blend(how, fuse_boxes(members, weights), weights.tolist(), {})
    stacked = np.stack(members.predictions).astype(np.float64)
    target, folds, several = members.target, members.folds, members.config.multilabel
    plain: dict[str, Callable[[], np.ndarray]] = {
        "mean": lambda: ways.mean(stacked, weights),
        "geometric": lambda: ways.normalised(ways.geometric(stacked, weights), several),
        "rank": lambda: ways.mean(np.stack([ways.ranks(p, folds) for p in stacked]), weights),
    }
    if how in plain:
        return Blend(how, plain[how](), weights.tolist(), {})
    if how == "stack":
        models = stacking.describe(stacking.fit_stack(stacked, target))
        return Blend(how, _stack(stacked, target, folds, several), None, {"models": models})
    if how == "power":
        return _power(stacked, target, folds, several, metric, weights)
    return _weighted(how, stacked, target, folds, metric)


def gain_of(metric: Metric, target: np.ndarray, prediction: np.ndarray) -> float:
    """Return the score, the more the better, without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = float(metric.function(target, prediction))
    return found if metric.maximise else -found


def fuse_boxes(members: Members, weights: Sequence[float] | np.ndarray) -> list[dict[str, Any]]:
    """Return the weighted boxes fusion of what the members found in each image."""
    from common.inference.boxes import fuse

    fused = []
    for found in zip(*members.predictions, strict=True):
        corners = np.concatenate([np.asarray(one[BOXES]).reshape(-1, 4) for one in found])
        right, bottom = corners[:, 2:].max(0, initial=1.0).tolist()  # nothing is clipped
        fused.append(fuse(found, (right, bottom), weights=list(weights)))
    return fused


def _weighted(
    how: str, stacked: np.ndarray, target: np.ndarray, folds: np.ndarray, metric: Metric
) -> Blend:
    find = {"hill": hill_climb, "optimise": optimise}[how]

    def fit(rows: np.ndarray) -> np.ndarray:
        truth, said = take(target, rows), stacked[:, rows]
        return find(lambda w: gain_of(metric, truth, ways.mean(said, w)), len(stacked))

    nested = by_other_folds(lambda rows, others: ways.mean(stacked[:, rows], fit(others)), folds)
    return Blend(how, nested, fit(np.arange(len(folds))).tolist(), {})


def _power(
    stacked: np.ndarray,
    target: np.ndarray,
    folds: np.ndarray,
    several: bool,
    metric: Metric,
    weights: np.ndarray,
) -> Blend:
    made = {e: ways.normalised(ways.power(stacked, weights, e), several) for e in ways.POWERS}

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
