"""Which parts of masks are probably wrong: coherent ones where a model is sure of another class.

The border of an object is where every model and every annotator is off by some pixels, so what is
thin is left out. Of the rest it counts how sure the model is, and whether the part is as large as
objects of the window are: a whole one that was forgotten or invented is worse than a frayed edge.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from common.keys import IGNORE
from common.metrics.testimony import MISSING, SPURIOUS, WRONG_CLASS, doubt_rows

KINDS = (MISSING, SPURIOUS, WRONG_CLASS)
THIN = 5  # pixels; what is thinner is taken for an inexact border
HALF = 0.5  # of the area of a usual object: a part that large counts in full
SPECK = 20  # pixels of what is no object
USUAL = 100.0  # pixels of an object where neither mask nor prediction has one


class Part(NamedTuple):
    """A coherent part of a window where prediction and mask differ in one way."""

    kind: int  # of KINDS
    doubt: float  # 0..1
    given: int
    suggested: int
    region: tuple[int, int, int, int]  # left, top, right, bottom


def wrong_parts(truth: np.ndarray, predicted: np.ndarray, surer: np.ndarray) -> list[Part]:
    """Return the most doubtful part of each kind that there is in one window.

    Args:
        truth: `(H, W)` uint8 classes, 0 the background; IGNORE counts nowhere.
        predicted: `(H, W)` uint8 classes.
        surer: `(H, W)` 0..1, by how much the predicted class is more probable than the given one.
    """
    wrong = (truth != predicted) & (truth != IGNORE)
    if not wrong.any():
        return []
    kinds = np.where(truth == 0, 0, np.where(predicted == 0, 1, 2))
    usual, found = _usual_area(truth, predicted), list[Part]()
    for kind in np.unique(kinds[wrong]).tolist():
        doubt, where = _worst(wrong & (kinds == kind), surer, usual)
        if doubt:
            classes = _commonest(truth[where]), _commonest(predicted[where])
            found.append(Part(kind, doubt, *classes, _region(where)))
    return found


def mask_testimony(windows: Sequence[tuple[int, list[Part]]]) -> pd.DataFrame:
    """Return the rows of windows, of each its index and its wrong parts."""
    rows = [(index, *part) for index, parts in windows for part in parts]
    index, kind, doubt, given, suggested, region = zip(*rows, strict=True) if rows else [()] * 6
    return doubt_rows(
        np.array(index, np.int64),
        np.array(KINDS, object)[np.array(kind, np.int64)],
        np.array(doubt),
        np.array(given, np.int64),
        np.array(suggested, np.int64),
        np.array(kind, np.int64),
        np.array(region).reshape(-1, 4),
    )


def _worst(wrong: np.ndarray, surer: np.ndarray, usual: float) -> tuple[float, np.ndarray]:
    """Return the largest doubt in a coherent part, and which pixels it has; 0 if there is none."""
    square = np.ones((THIN, THIN), np.uint8)
    # what ends at the border of the window is not thin for that
    thick = cv2.morphologyEx(
        wrong.astype(np.uint8), cv2.MORPH_OPEN, square, borderType=cv2.BORDER_REPLICATE
    )
    count, parts = cv2.connectedComponents(thick)
    if count < 2:
        return 0.0, wrong
    areas = np.bincount(parts.ravel(), minlength=count)[1:]
    sums = np.bincount(parts.ravel(), weights=surer.ravel(), minlength=count)[1:]
    doubts = sums / areas * np.minimum(1, areas / (HALF * usual))
    best = int(doubts.argmax())
    return float(doubts[best]), parts == best + 1


def _usual_area(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return the median area of objects in the mask, or of those that are predicted."""
    for mask in ((truth > 0) & (truth != IGNORE), predicted > 0):
        stats = cv2.connectedComponentsWithStats(mask.astype(np.uint8))[2]
        areas = stats[1:, cv2.CC_STAT_AREA]
        if (areas > SPECK).any():
            return float(np.median(areas[areas > SPECK]))
    return USUAL


def _commonest(classes: np.ndarray) -> int:
    return int(np.bincount(classes).argmax())


def _region(where: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = (np.flatnonzero(where.any(axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
