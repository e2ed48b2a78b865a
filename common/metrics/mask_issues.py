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
SQUARE = np.ones((5, 5), np.uint8)  # pixels; what is thinner is taken for an inexact border
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
    known, thick = truth != IGNORE, dict[int, np.ndarray]()
    for kind, wrong in enumerate(_differences(truth, predicted)):
        # what ends at the border of the window is not thin for that
        part = cv2.morphologyEx(
            (wrong & known).view(np.uint8), cv2.MORPH_OPEN, SQUARE, borderType=cv2.BORDER_REPLICATE
        )
        if cv2.countNonZero(part):
            thick[kind] = part
    usual = _usual_area(truth, predicted) if thick else USUAL
    return [_worst(kind, part, truth, predicted, surer, usual) for kind, part in thick.items()]


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


def _differences(truth: np.ndarray, predicted: np.ndarray) -> list[np.ndarray]:
    """Return for each of KINDS where it is so."""
    there, found = truth > 0, predicted > 0
    return [found & ~there, there & ~found, there & found & (truth != predicted)]


def _worst(
    kind: int,
    thick: np.ndarray,
    truth: np.ndarray,
    predicted: np.ndarray,
    surer: np.ndarray,
    usual: float,
) -> Part:
    """Return the coherent part of `thick`, not empty, with the largest doubt."""
    parts, stats = cv2.connectedComponentsWithStats(thick)[1:3]
    areas, places = stats[1:, cv2.CC_STAT_AREA], np.flatnonzero(thick)
    number = parts.ravel()[places] - 1
    sums = np.bincount(number, weights=surer.ravel()[places], minlength=len(areas))
    doubts = sums / areas * np.minimum(1, areas / (HALF * usual))
    best = int(doubts.argmax())
    own = places[number == best]
    left, top, width, height = stats[best + 1, :4].tolist()
    classes = _commonest(truth.ravel()[own]), _commonest(predicted.ravel()[own])
    return Part(kind, float(doubts[best]), *classes, (left, top, left + width, top + height))


def _usual_area(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Return the median area of objects in the mask, or of those that are predicted."""
    known = truth != IGNORE
    for mask in (known & (truth > 0), known & (predicted > 0)):
        stats = cv2.connectedComponentsWithStats(mask.view(np.uint8))[2]
        areas = stats[1:, cv2.CC_STAT_AREA]
        if (areas > SPECK).any():
            return float(np.median(areas[areas > SPECK]))
    return USUAL


def _commonest(classes: np.ndarray) -> int:
    return int(np.bincount(classes).argmax())
