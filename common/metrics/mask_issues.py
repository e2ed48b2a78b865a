"""Which parts of masks are probably wrong: the largest coherent part in which a model is against.

The border of an object is where every model and every annotator is off by a pixel or two, so what
is thin is left out, and what is left counts by its size and by how sure the model is.
"""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import pandas as pd

from common.keys import IGNORE
from common.metrics.testimony import MISSING, SPURIOUS, WRONG_CLASS, doubt_rows

KINDS = (MISSING, SPURIOUS, WRONG_CLASS)
USUAL = 100.0  # pixels that a model is sure of for a doubt of a half


class Part(NamedTuple):
    """A coherent part of a window where prediction and mask differ in one way."""

    kind: int  # of KINDS
    evidence: float  # sum over its pixels of how much surer the model is of another class
    given: int
    suggested: int
    region: tuple[int, int, int, int]  # left, top, right, bottom


def wrong_parts(
    truth: np.ndarray, predicted: np.ndarray, surer: np.ndarray, thin: int = 3
) -> list[Part]:
    """Return the part with the most evidence of each kind that there is in one window.

    Args:
        truth: `(H, W)` uint8 classes, 0 the background; IGNORE counts nowhere.
        predicted: `(H, W)` uint8 classes.
        surer: `(H, W)` 0..1, by how much the predicted class is more probable than the given one.
        thin: pixels; what is thinner is taken for an inexact border.
    """
    wrong = (truth != predicted) & (truth != IGNORE)
    if not wrong.any():
        return []
    kinds = np.where(truth == 0, 0, np.where(predicted == 0, 1, 2))
    there = np.unique(kinds[wrong])
    found = [_largest(wrong & (kinds == kind), surer, thin, kind) for kind in there]
    return [
        Part(int(kind), evidence, *_classes(where, truth, predicted), _region(where))
        for kind, evidence, where in filter(None, found)
    ]


def _largest(
    wrong: np.ndarray, surer: np.ndarray, thin: int, kind: int
) -> tuple[int, float, np.ndarray] | None:
    square = np.ones((thin, thin), np.uint8)
    # beyond the border of the window the part goes on, or does not: it is not thin for ending there
    opened = cv2.morphologyEx(
        wrong.astype(np.uint8), cv2.MORPH_OPEN, square, borderType=cv2.BORDER_REPLICATE
    )
    count, parts = cv2.connectedComponents(opened)
    if count < 2:
        return None
    evidence = np.bincount(parts.ravel(), weights=surer.ravel(), minlength=count)[1:]
    best = int(evidence.argmax())
    return kind, float(evidence[best]), parts == best + 1


def _classes(where: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> tuple[int, int]:
    return tuple(int(np.bincount(mask[where]).argmax()) for mask in (truth, predicted))  # type: ignore[return-value]


def _region(where: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = (np.flatnonzero(where.any(axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def mask_testimony(windows: Sequence[tuple[int, list[Part]]]) -> pd.DataFrame:
    """Return the rows of windows, of each its index and its wrong parts."""
    rows = [(index, *part) for index, parts in windows for part in parts]
    index, kind, evidence, given, suggested, region = zip(*rows, strict=True) if rows else [()] * 6
    return doubt_rows(
        np.array(index, np.int64),
        np.array(KINDS, object)[np.array(kind, np.int64)],
        np.array(evidence) / (np.array(evidence) + USUAL),
        np.array(given, np.int64),
        np.array(suggested, np.int64),
        np.array(kind, np.int64),
        np.array(region).reshape(-1, 4),
    )
