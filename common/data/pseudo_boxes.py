"""Boxes as pseudo-labels: which of those found are labels, and when a picture is left out.

A sure box becomes a label, as in STAC (Sohn et al., "A simple semi-supervised learning framework
for object detection", 2020), with a cut for each class, since detectors score some classes higher
than others (Chen et al., "Label matching semi-supervised object detection", 2022). What is not a
label is background to a detector, an object that was found unsurely as well: pictures with many of
those teach to overlook, and are left out.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from common.data.box_frame import HEIGHT, WIDTH
from common.data.image import image_size
from common.keys import BOXES, IMAGE_ID, LABELS, PATH, SCORES, WEIGHT
from common.metrics.box_cuts import Cut


class FoundBoxes(NamedTuple):
    """What is sure of a picture."""

    boxes: np.ndarray  # (K, 4) xyxy pixels of the file
    labels: np.ndarray  # (K,) int64
    doubt: float  # unsure boxes / all that may be objects; 1 where nothing is sure


def judge_boxes(found: Mapping[str, Any], cuts: Sequence[Cut]) -> FoundBoxes:
    """Part a picture's boxes by the cuts of their classes.

    Args:
        found: BOXES `(P, 4)`, LABELS `(P,)` and SCORES `(P,)`.
        cuts: of the C classes.
    """
    labels, scores = np.asarray(found[LABELS], np.int64), np.asarray(found[SCORES], float)
    limits = np.array(cuts, float).reshape(-1, 2)[labels]
    sure = scores >= limits[:, 1]
    maybe = sure | (scores >= limits[:, 0])
    # A picture without any sure box teaches nothing: that none is found does not prove that.
    doubt = 1 - sure.sum() / maybe.sum() if sure.any() else 1.0
    return FoundBoxes(np.asarray(found[BOXES], float)[sure], labels[sure], float(doubt))


def box_rows(
    frame: pd.DataFrame, found: Sequence[FoundBoxes], classes: Sequence[str]
) -> pd.DataFrame:
    """Return image_id, path, weight, width, height, boxes (flat) and labels (names) of M pictures.

    A picture weighs as much as the share of its boxes that are sure.

    Args:
        frame: columns image_id and path.
    """
    sizes = np.array([image_size(path) for path in frame[PATH]], np.int64).reshape(-1, 2)
    return pd.DataFrame(
        {
            IMAGE_ID: frame[IMAGE_ID].astype(str).to_numpy(object),
            PATH: frame[PATH].astype(str).to_numpy(object),
            WEIGHT: np.array([1 - one.doubt for one in found], np.float32),
            WIDTH: sizes[:, 1],
            HEIGHT: sizes[:, 0],
            BOXES: [one.boxes.astype(np.float32).reshape(-1) for one in found],
            LABELS: [[classes[label] for label in one.labels.tolist()] for one in found],
        }
    )


def box_frame(rows: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return the rows of a file with boxes `(K, 4)` and labels `(K,)` int64, as datasets take."""
    places = {name: place for place, name in enumerate(classes)}
    boxes, labels = np.empty(len(rows), object), np.empty(len(rows), object)
    for row, (flat, names) in enumerate(zip(rows[BOXES], rows[LABELS], strict=True)):
        boxes[row] = np.array(flat, np.float32).reshape(-1, 4)
        labels[row] = np.array([places[name] for name in names], np.int64)
    return rows.assign(**{BOXES: boxes, LABELS: labels})
