"""What views and models saw of the same image, on its way to one prediction of boxes."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from common import distributed
from common.inference.boxes import fuse
from common.inference.budget import FUSE, Budget
from common.inference.spool import Entry
from common.keys import BOXES, LABELS, SCORES

Boxes = dict[str, Any]
Seen = tuple[int, Boxes]  # by which model


def by_image(entries: Iterable[Entry], count: int) -> list[list[Seen]]:
    """Return what all processes saw of each image of a group, by model."""
    found: list[list[Seen]] = [[] for _ in range(count)]
    told = [entry for part in distributed.gather(list(entries)) for entry in part]
    for number, rows, seen in sorted(told, key=lambda entry: entry[0]):
        for row, own in zip(rows.tolist(), seen, strict=True):
            found[row] += [(number, one) for one in own]
    return found


def weighed(own: Sequence[Seen], shares: np.ndarray) -> list[tuple[Boxes, float]]:
    """Return each prediction with the share of its model."""
    return [(one, float(shares[number])) for number, one in own]


def join(
    found: Sequence[tuple[Boxes, float]], size: Sequence[int], iou: float, skip: float
) -> Boxes:
    """Return one prediction of all that were made of an image of (height, width), by weight."""
    weighed = [pair for pair in found if pair[1] > 0]
    if not weighed:
        none = np.zeros((0, 4)), np.zeros(0, np.int64), np.zeros(0, np.float32)
        return dict(zip((BOXES, LABELS, SCORES), none, strict=True))
    predictions, weights = zip(*weighed, strict=True)
    if len(predictions) == 1:
        return predictions[0]
    return fuse(predictions, (size[1], size[0]), iou, skip, weights)


def time_fusion(found: Sequence[tuple[Boxes, float]], size: Sequence[int], budget: Budget) -> None:
    """Tell a budget with a limit how long it takes to fuse, which is done in the end."""
    if not budget.limit or len(found) < 2 or budget.knows(FUSE):
        return
    for _ in range(2):  # the first one compiles
        with budget.aside(FUSE, len(found)):
            fuse([one for one, _ in found], (size[1], size[0]))


def certain(found: Boxes, least: float) -> Boxes:
    """Return the boxes of a score of `least` at least."""
    rows = found[SCORES] >= least
    return {key: values[rows] for key, values in found.items()}
