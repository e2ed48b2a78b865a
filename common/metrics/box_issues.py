"""Which boxes are probably wrong: missing, spurious, shifted or of another class.

Evidence is put in odds and multiplied. Against a true box speaks how rare it is that a box of its
class is found as badly; for another one speaks how often a found box with such a score stands for
a true one. Scores of one class are those of no other: both are learnt class by class.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from common.keys import BOXES, LABELS, SCORES
from common.metrics.box_pairs import one_to_one
from common.metrics.matching import Pairs, Ragged, overlapping_pairs, stack_boxes
from common.metrics.testimony import (
    MISSING,
    NOTHING,
    SHIFTED,
    SPURIOUS,
    WRONG_CLASS,
    doubt_rows,
)

Boxes = Mapping[str, Any]
FAINT = 0.1  # score below which a found box is not looked at
TOUCH = 0.1  # IoU from which on a found box says something of a true one
NEAR = 0.2  # and from which on it may be what was meant by it
HIT = 0.5  # and from which on it is the same
SUREST = 0.98  # probability; a detector is no better witness than that
PRIOR = 0.1  # odds that a label is wrong of which nothing else is known
SILENCE = 0.5  # that nothing is found says less than that something else is found


class _All(NamedTuple):
    """All boxes of all pictures, and which of them touch."""

    true: Ragged
    found: Ragged
    actual: np.ndarray  # (T,) int64 class of each true box
    predicted: np.ndarray  # (F,) int64 class of each found one
    score: np.ndarray  # (F,) float64
    near: Pairs

    @property
    def same(self) -> np.ndarray:
        """Which pairs are of one class."""
        return self.actual[self.near.truth] == self.predicted[self.near.prediction]


def box_testimony(
    index: np.ndarray, targets: Sequence[Boxes], predictions: Sequence[Boxes]
) -> pd.DataFrame:
    """Return a row per true box in doubt, and one per found box that the truth lacks.

    Args:
        index: `(N,)` of the pictures.
        targets: BOXES `(K, 4)` xyxy and LABELS `(K,)`.
        predictions: BOXES `(P, 4)`, LABELS and SCORES `(P,)`; what is not finite is left out.
    """
    boxes = _stack(targets, predictions)
    same = boxes.same & (boxes.near.iou > HIT)
    hits = _assign(boxes, same, boxes.score[boxes.near.prediction] * boxes.near.iou)[0]
    real = _odds(boxes, hits)
    free = np.ones(len(boxes.score), bool)
    free[boxes.near.prediction[same]] = False  # explained, if only as a double
    rarity = _rarity(boxes)
    others = free[boxes.near.prediction] & (boxes.near.iou > NEAR)
    by = real[boxes.near.prediction] / rarity[boxes.near.truth]
    one, meant = _assign(boxes, others, by)
    odds, another = SILENCE * PRIOR / rarity, np.full(len(rarity), NOTHING)
    better = PRIOR * real[one] / rarity[meant] >= odds[meant]
    one, meant = one[better], meant[better]
    odds[meant], another[meant] = PRIOR * real[one] / rarity[meant], one
    free[one] = False
    closest = _most(boxes.near.prediction, boxes.near.iou, len(free))
    lone = np.flatnonzero(free & (closest < HIT))
    return pd.concat(
        [_of_true(index, boxes, odds, another), _of_found(index, boxes, PRIOR * real, lone)],
        ignore_index=True,
    )


def _of_true(index: np.ndarray, boxes: _All, odds: np.ndarray, another: np.ndarray) -> pd.DataFrame:
    classes = np.append(boxes.predicted, NOTHING)[another]  # NOTHING is the last row, too
    wrong = np.where(classes == boxes.actual, SHIFTED, WRONG_CLASS)
    kinds = np.where(another == NOTHING, SPURIOUS, wrong).astype(object)
    counts = np.diff(boxes.true.starts)
    places = np.arange(len(odds)) - np.repeat(boxes.true.starts[:-1], counts)
    doubts, images = odds / (1 + odds), np.repeat(index, counts)
    return doubt_rows(images, kinds, doubts, boxes.actual, classes, places, boxes.true.rows)


def _of_found(index: np.ndarray, boxes: _All, odds: np.ndarray, rows: np.ndarray) -> pd.DataFrame:
    images = np.repeat(index, np.diff(boxes.found.starts))[rows]
    doubts, where = odds[rows] / (1 + odds[rows]), boxes.found.rows[rows]
    return doubt_rows(images, MISSING, doubts, NOTHING, boxes.predicted[rows], region=where)


def _odds(boxes: _All, hits: np.ndarray) -> np.ndarray:
    """Return `(F,)` odds that a found box stands for a true one, by class and score (Platt 1999).

    Args:
        hits: rows of found boxes that do.
    """
    hit, odds = np.zeros(len(boxes.score), bool), np.zeros(len(boxes.score))
    hit[hits] = True
    for label in np.unique(boxes.predicted):
        own = boxes.predicted == label
        share = _calibrate(boxes.score[own], hit[own]).clip(0, SUREST)
        odds[own] = share / (1 - share)
    return odds


def _calibrate(score: np.ndarray, hit: np.ndarray) -> np.ndarray:
    """Return `(M,)` probabilities of a hit by a logistic curve over the score's logit."""
    if hit.all() or not hit.any():
        return np.full(len(hit), (hit.sum() + 1) / (len(hit) + 2))
    from sklearn.linear_model import LogisticRegression

    inner = np.clip(score, 1e-4, 1 - 1e-4)
    logit = np.log(inner / (1 - inner))[:, None]
    return LogisticRegression(C=10).fit(logit, hit).predict_proba(logit)[:, 1]


def _rarity(boxes: _All) -> np.ndarray:
    """Return `(T,)` 0..1: the share of true boxes of the class that are found as badly, or worse.

    How well one is found is the largest score x IoU of its class.
    """
    found = np.where(boxes.same, boxes.score[boxes.near.prediction] * boxes.near.iou, 0)
    support, rarity = _most(boxes.near.truth, found, len(boxes.actual)), np.ones(len(boxes.actual))
    for label in np.unique(boxes.actual):
        own = boxes.actual == label
        ranks = np.searchsorted(np.sort(support[own]), support[own], side="right")
        rarity[own] = ranks / own.sum()
    return rarity


def _assign(boxes: _All, rows: np.ndarray, strength: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return found and true boxes of some pairs, the strongest first, nobody twice."""
    chosen = Pairs(boxes.near.prediction[rows], boxes.near.truth[rows], strength[rows])
    return one_to_one(chosen, np.zeros(len(chosen.iou), bool))


def _stack(targets: Sequence[Boxes], predictions: Sequence[Boxes]) -> _All:
    kept = [_kept(prediction) for prediction in predictions]
    true = stack_boxes("truth", [target[BOXES] for target in targets])
    found = stack_boxes("prediction", [one[BOXES] for one in kept])
    return _All(
        true,
        found,
        _flat(targets, LABELS, np.int64),
        _flat(kept, LABELS, np.int64),
        _flat(kept, SCORES, np.float64),
        overlapping_pairs(found, true, TOUCH),
    )


def _kept(prediction: Boxes) -> Boxes:
    boxes, scores = np.asarray(prediction[BOXES]), np.asarray(prediction[SCORES])
    sure = np.isfinite(boxes).all(axis=1) & (scores >= FAINT)  # NaN is not
    return {key: np.asarray(prediction[key])[sure] for key in (BOXES, LABELS, SCORES)}


def _most(rows: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """Return `(count,)` the largest value of each row, 0 where there is none."""
    most = np.zeros(count)
    np.maximum.at(most, rows, values)
    return most


def _flat(items: Sequence[Boxes], key: str, kind: Any) -> np.ndarray:
    return np.concatenate([np.zeros(0, kind), *(np.asarray(item[key], kind) for item in items)])
