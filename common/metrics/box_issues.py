"""Which boxes are probably wrong: missing, spurious, shifted or of another class."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from common.keys import BOXES, LABELS, SCORES
from common.metrics.matching import Pairs, overlapping_pairs, stack_boxes
from common.metrics.testimony import (
    MISSING,
    NOTHING,
    SHIFTED,
    SPURIOUS,
    WRONG_CLASS,
    doubt_rows,
)

Boxes = Mapping[str, Any]
TOUCH = 0.1  # IoU from which on a found box may mean a true one
APART = 0.3  # IoU below which a found box means none of the true ones
FAINT = 0.1  # score below which a found box is not looked at


def box_testimony(
    index: np.ndarray,
    targets: Sequence[Boxes],
    predictions: Sequence[Boxes],
    num_classes: int,
) -> pd.DataFrame:
    """Return a row per true box in doubt, and one per found box that no true one is near."""
    kept = [_kept(prediction) for prediction in predictions]
    true = stack_boxes("truth", [target[BOXES] for target in targets])
    found = stack_boxes("prediction", [one[BOXES] for one in kept])
    labels = _flat(targets, LABELS, np.int64), _flat(kept, LABELS, np.int64)
    scores = _flat(kept, SCORES, np.float64)
    near = overlapping_pairs(found, true, TOUCH)
    images = [np.repeat(index, np.diff(boxes.starts)) for boxes in (true, found)]
    given = _given(near, *labels, scores)
    places = np.arange(len(true.rows)) - np.repeat(true.starts[:-1], np.diff(true.starts))
    nearest = _most(near.prediction, near.iou, len(found.rows))
    alone = nearest < APART
    return pd.concat(
        [
            doubt_rows(images[0], *given, places, true.rows),
            doubt_rows(
                images[1][alone],
                MISSING,
                scores[alone],
                NOTHING,
                labels[1][alone],
                region=found.rows[alone],
            ),
        ],
        ignore_index=True,
    )


def _given(
    near: Pairs, true: np.ndarray, found: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return kind, doubt, given and suggested class of every true box."""
    score, same = scores[near.prediction], true[near.truth] == found[near.prediction]
    count = len(true)
    support = _most(near.truth, np.where(same, score, 0), count)
    place = _most(near.truth, np.where(same, score * near.iou, 0), count)
    other = _most(near.truth, np.where(same, 0, score * near.iou), count)
    anything = _most(near.truth, score, count)
    doubts = np.stack([1 - anything, support - place, other * (1 - place)])
    kinds = np.array([SPURIOUS, SHIFTED, WRONG_CLASS], object)[doubts.argmax(0)]
    suggested = np.full(count, NOTHING)
    order = np.argsort(np.where(same, 0, score * near.iou), kind="stable")
    suggested[near.truth[order]] = found[near.prediction[order]]
    suggested = np.where(kinds == WRONG_CLASS, suggested, np.where(kinds == SHIFTED, true, NOTHING))
    return kinds, doubts.max(0), true, suggested


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
