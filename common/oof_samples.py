"""Out-of-fold predictions as units that can be drawn anew: samples, images or groups."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from common.config import Config
from common.keys import FOLD, GROUP, IMAGE_ID
from common.metrics.base import Metric
from common.metrics.nested import take
from common.metrics.overlap import pool_images
from common.oof import IMAGE_CODE, read_oof


class Samples(NamedTuple):
    """Targets and predictions of N rows, which belong to U units.

    Windows of a segmented image are one row: its image is what is scored.
    """

    target: Any
    prediction: Any
    units: np.ndarray  # (N,) int64, 0 to U - 1
    kind: str  # what a unit is: samples, images or groups
    masks: bool  # targets are codes of groups and images
    folds: np.ndarray  # (N,) int64

    @property
    def num(self) -> int:
        """How many units there are."""
        return int(self.units.max(initial=-1)) + 1


def read_samples(frame: pd.DataFrame, config: Config, grouped: bool = True) -> Samples:
    """Return what an out-of-fold table holds, by units.

    Args:
        grouped: rows of a group are one unit, where the table has several groups.
    """
    target, prediction = read_oof(frame, config)
    masks = config.task == "segmentation"
    folds = frame[FOLD].to_numpy(np.int64)
    if masks:
        folds = frame.groupby(IMAGE_CODE)[FOLD].first().to_numpy(np.int64)  # by ascending code
        groups, prediction = pool_images(target, prediction)
        target = np.stack([groups, np.arange(len(groups))], 1)
    else:
        groups = frame[GROUP].to_numpy() if GROUP in frame else np.zeros(len(frame))
    _, codes = np.unique(groups, return_inverse=True)
    if grouped and codes.max(initial=0) > 0:
        return Samples(target, prediction, codes, "groups", masks, folds)
    rows = np.arange(len(groups))
    return Samples(target, prediction, rows, "images" if masks else "samples", masks, folds)


def score_drawn(metric: Metric, samples: Samples) -> Callable[[np.ndarray], float]:
    """Return a function from drawn units `(size,)` to the score of their rows.

    A unit that is drawn twice counts as two. A metric with `each` scores every row once and for all
    (what it tunes on the rows stays as it was).
    """
    values = None if metric.each is None else metric.each(samples.target, samples.prediction)
    order = np.argsort(samples.units, kind="stable")
    starts = np.searchsorted(samples.units[order], np.arange(samples.num + 1))
    alone = len(order) == samples.num  # a row is a unit

    def score(drawn: np.ndarray) -> float:
        if alone:
            rows, copies = order[drawn], np.arange(len(drawn))
        else:
            rows, copies = _rows_of(drawn, order, starts)
        if values is not None:
            return float(values[rows].mean())
        target = take(samples.target, rows)
        if samples.masks:
            groups = copies if samples.kind == "groups" else target[:, 0]
            target = np.stack([groups, np.arange(len(rows))], 1)
        return float(metric.function(target, take(samples.prediction, rows)))

    return score


def common_rows(
    frame: pd.DataFrame, other: pd.DataFrame, config: Config
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the rows of two tables whose samples both have, in the same order.

    Segmented images are found by their code, for other windows show the same image.
    """
    key = IMAGE_CODE if config.task == "segmentation" else IMAGE_ID
    shared = frame[frame[key].isin(other[key])], other[other[key].isin(frame[key])]
    one, two = (rows.sort_values(key, ignore_index=True) for rows in shared)
    return one, two


def _rows_of(
    drawn: np.ndarray, order: np.ndarray, starts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of drawn units, one unit after the other, and the draw that each is of."""
    counts = starts[drawn + 1] - starts[drawn]
    copies = np.repeat(np.arange(len(drawn)), counts)
    first = np.cumsum(counts) - counts
    return order[starts[drawn][copies] + np.arange(len(copies)) - first[copies]], copies
