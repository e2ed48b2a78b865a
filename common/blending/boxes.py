"""Boxes of several detectors as one: weighted boxes fusion, and what of it can be tuned."""

import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from common.blending.members import Members
from common.keys import BOXES
from common.metrics.nested import by_other_folds, take

IOUS = (0.4, 0.5, 0.55, 0.6, 0.7)  # above which boxes are one
LEASTS = (0.0, 0.02, 0.05, 0.1, 0.2)  # scores below which a box takes no part
STEPS = (0.2, 0.1)  # that weight moves from one member to another
TRIES = 30  # fusions of everything that tuning takes, about

Gain = Callable[[Any, Any], float]  # target, prediction -> the more the better
Made = tuple[Any, list[float], dict[str, Any]]  # prediction, weights, options


class Fusion(NamedTuple):
    """What weighted boxes fusion leaves open."""

    weights: tuple[float, ...]
    iou: float = 0.55
    least: float = 0.0

    @property
    def options(self) -> dict[str, float]:
        """All but the weights, as a blend keeps them."""
        return {"iou": self.iou, "least": self.least}


def equal_boxes(members: Members, gain: Gain, weights: np.ndarray) -> Made:
    """Return the fusion by given weights."""
    fusion = Fusion(tuple(weights.tolist()))
    return fuse_members(members, fusion), list(fusion.weights), fusion.options


def tuned_boxes(members: Members, gain: Gain) -> Made:
    """Return the fusion whose weights, IoU and least score the other folds have chosen.

    Coordinate by coordinate, from the usual values on; what several folds try is fused once.
    """
    usual = Fusion((round(1 / len(members.names), 6),) * len(members.names))
    began = time.monotonic()
    made: dict[Fusion, Any] = {usual: fuse_members(members, usual)}
    minutes = TRIES * (time.monotonic() - began) / 60
    if minutes > 1:
        print(f"tuning the fusion of boxes, about {minutes:.0f} min", flush=True)

    def fused(fusion: Fusion) -> Any:
        if fusion not in made:
            made[fusion] = fuse_members(members, fusion)
        return made[fusion]

    def fit(rows: np.ndarray) -> Fusion:
        truth = take(members.target, rows)
        return climb(usual, lambda f: gain(truth, take(fused(f), rows)))

    nested = by_other_folds(lambda rows, others: take(fused(fit(others)), rows), members.folds)
    best = fit(np.arange(len(members.folds)))
    return nested, list(best.weights), best.options


def climb(best: Fusion, gain: Callable[[Fusion], float]) -> Fusion:
    """Return the fusion that one change after the other leads to, each for the better."""
    score = _finite(gain(best))
    for tries in (_ious, _leasts, *(_weights(step) for step in STEPS), _ious):
        improved = True
        while improved:
            improved = False
            for tried in tries(best):
                found = _finite(gain(tried))
                if found > score + 1e-9:
                    best, score, improved = tried, found, True
                    break
    return best


def fuse_members(members: Members, fusion: Fusion) -> list[dict[str, Any]]:
    """Return the weighted boxes fusion of what the members found in each image."""
    from common.inference.boxes import fuse

    fused = []
    for found in zip(*members.predictions, strict=True):
        corners = np.concatenate([np.asarray(one[BOXES]).reshape(-1, 4) for one in found])
        right, bottom = corners[:, 2:].max(0, initial=1.0).tolist()  # nothing is clipped
        size = (right, bottom)
        fused.append(fuse(found, size, fusion.iou, fusion.least, weights=fusion.weights))
    return fused


def _ious(fusion: Fusion) -> Iterator[Fusion]:
    yield from (fusion._replace(iou=iou) for iou in IOUS)


def _leasts(fusion: Fusion) -> Iterator[Fusion]:
    yield from (fusion._replace(least=least) for least in LEASTS)


def _weights(step: float) -> Callable[[Fusion], Iterator[Fusion]]:
    def moved(fusion: Fusion) -> Iterator[Fusion]:
        for giver, taker in np.argwhere(~np.eye(len(fusion.weights), dtype=bool)):
            weights = list(fusion.weights)
            share = min(step, weights[giver])
            weights[giver] -= share
            weights[taker] += share
            if share > 0:
                yield fusion._replace(weights=tuple(round(weight, 6) for weight in weights))

    return moved


def _finite(value: float) -> float:
    return -1e9 if np.isnan(value) else value
