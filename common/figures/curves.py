"""Precision against recall and recall against false alarms, of some classes and their mean."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from common.figures.lines import thin
from common.figures.panels import INK, PALE, PALETTE, Line, Mark, Panel, line_figure
from common.metrics.curves import LEVELS, Curve, interpolated_precision

MAX_CLASSES = 12
FEW = 8  # worst classes that are drawn where there are more than 12
POINTS = 400  # of a drawn line
PRECISION_RECALL = ("recall", "precision")
ROC = ("false positive rate", "recall (true positive rate)")
CHANCE = Line(np.array([0, 1]), np.array([0, 1]), colour=PALE, width=1.0, style=":")


def ranking_figure(
    curves: Mapping[str, Curve],
    rows: Mapping[str, Mapping[str, Any]],
    mark: tuple[float, str] | None = None,
) -> Figure:
    """Draw both curves of each class with its areas in the legend.

    Args:
        curves: each with positives and negatives.
        rows: `average_precision` and `roc_auc` of each, the worst first.
        mark: a threshold and its name, shown where there is a single curve.
    """
    names = [name for name in rows if name in curves]
    drawn = names if len(names) <= MAX_CLASSES else names[:FEW]
    left, right = [], [CHANCE]
    for name, colour in zip(drawn, PALETTE, strict=False):
        curve, row = curves[name], rows[name]
        label = f"{name}  {row['average_precision']:.3f}  {row['roc_auc']:.3f}"
        left.append(Line(*recall_line(curve), label, colour))
        right.append(Line(*roc_line(curve), label, colour))
    if len(names) > 1:
        mean = [float(np.mean([rows[name][a] for name in names])) for a in AREAS]
        label = f"mean of {len(names)}  {mean[0]:.3f}  {mean[1]:.3f}"
        left.append(Line(*_mean_recall([curves[n] for n in names]), label, INK, 2.4))
        right.append(Line(*_mean_roc([curves[n] for n in names]), label, INK, 2.4))
    marks = _marks(curves[names[0]], mark) if mark and len(names) == 1 else ([], [])
    worst = f", {len(drawn)} worst of {len(names)}" if len(drawn) < len(names) else ""
    panels = (
        Panel(f"Precision-recall{worst}", PRECISION_RECALL, left, marks[0]),
        Panel("ROC (dotted: chance)", ROC, right, marks[1]),
    )
    return line_figure(panels, legend="class  AP  AUC")


AREAS = ("average_precision", "roc_auc")


def recall_line(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Return recall and precision of up to 400 points."""
    return thin(curve.recall, curve.precision, POINTS)


def roc_line(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Return alarm rate and recall of up to 400 points, from corner to corner."""
    x, y = thin(curve.alarm_rate, curve.recall, POINTS)
    return np.concatenate([[0], x, [1]]), np.concatenate([[0], y, [1]])


def _mean_recall(curves: Sequence[Curve]) -> tuple[np.ndarray, np.ndarray]:
    return LEVELS, np.mean([interpolated_precision(curve) for curve in curves], axis=0)


def _mean_roc(curves: Sequence[Curve]) -> tuple[np.ndarray, np.ndarray]:
    lines = [roc_line(curve) for curve in curves]
    return LEVELS, np.mean([np.interp(LEVELS, x, y) for x, y in lines], axis=0)


def _marks(curve: Curve, mark: tuple[float, str]) -> tuple[list[Mark], list[Mark]]:
    reached = np.flatnonzero(curve.thresholds >= mark[0])
    if not len(reached):
        return [], []
    at, recall = reached[-1], float(curve.recall[reached[-1]])
    return (
        [Mark(recall, float(curve.precision[at]), mark[1])],
        [Mark(float(curve.alarm_rate[at]), recall, mark[1])],
    )
