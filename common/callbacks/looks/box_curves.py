"""How well are boxes ranked, by how closely they must fit and by class?"""

from collections.abc import Mapping, Sequence

import numpy as np

from common.callbacks.looks.base import Look
from common.callbacks.looks.boxes import confidence_of
from common.evaluation import Evaluation
from common.figures.curves import MAX_CLASSES, PRECISION_RECALL
from common.figures.panels import INK, PALETTE, Line, Mark, Panel, line_figure
from common.keys import PREDICTION, TARGET
from common.metrics.box_curves import IOUS, BoxRanking, rank_boxes
from common.metrics.curves import LEVELS, counts_at

SHOWN = (0, 2, 5, 8)  # places in IOUS: 0.5, 0.6, 0.75, 0.9
FEW = 8  # worst classes that are drawn where there are more than 12
MAX_SCALARS = 50  # classes


class BoxCurves(Look):
    """COCO's precision at its recall levels, by IoU (mean over classes) and by class at 0.5."""

    def look(self, evaluation: Evaluation) -> None:
        """Log a figure, a table, a line and the average precisions."""
        classes = self.config.classes
        ranking = rank_boxes(evaluation[TARGET], evaluation[PREDICTION], len(classes))
        by_iou = [ranking.precision(place) for place in range(len(IOUS))]
        by_class = {name: ranking.precision(0, label) for label, name in enumerate(classes)}
        areas = {name: float(line.mean()) for name, line in by_class.items()}
        self.logger.scalars(area_scalars(by_iou, areas), **self.moment)
        rows = [
            {"class": name, "boxes": int(count), "average_precision_50": area}
            for (name, area), count in zip(areas.items(), ranking.truths, strict=True)
        ]
        order = np.argsort(list(areas.values()), kind="stable")  # NaN last
        self.logger.table("valid/class_scores", [rows[i] for i in order], **self.moment)
        if not ranking.truths.any():
            return
        whose = "all boxes, " if len(classes) > 1 else ""  # the lines are means over classes
        marks = _operating_point(ranking, confidence_of(evaluation), whose)
        panels = [_iou_panel(by_iou, marks)]
        panels += [_class_panel(by_class, areas) if len(classes) > 1 else _area_panel(by_iou)]
        figure = line_figure(panels, legend="average precision")
        self.logger.figure("valid/curves", figure, **self.moment)
        line = {"axes": PRECISION_RECALL, "counts": counts_at([ranking.curve(0)]), **self.moment}
        self.logger.curve("valid/precision_recall", LEVELS, by_iou[0], **line)


def area_scalars(by_iou: Sequence[np.ndarray], areas: Mapping[str, float]) -> dict[str, float]:
    """Return average precisions by the names they are logged under: of IoUs and of classes."""
    named = {f"iou_{iou:.2f}": float(line.mean()) for iou, line in zip(IOUS, by_iou, strict=True)}
    named["iou_mean"] = float(np.mean(list(named.values())))
    if 1 < len(areas) <= MAX_SCALARS:
        named |= areas
    return {f"valid/average_precision/{k}": v for k, v in named.items() if np.isfinite(v)}


def _iou_panel(by_iou: list[np.ndarray], marks: list[Mark]) -> Panel:
    lines = [
        Line(LEVELS, by_iou[place], f"IoU {IOUS[place]:.2f}  {by_iou[place].mean():.3f}", colour)
        for place, colour in zip(SHOWN, PALETTE, strict=False)
    ]
    return Panel("Precision-recall by IoU", PRECISION_RECALL, lines, marks)


def _class_panel(by_class: dict[str, np.ndarray], areas: dict[str, float]) -> Panel:
    names = sorted((name for name in areas if np.isfinite(areas[name])), key=areas.__getitem__)
    drawn = names if len(names) <= MAX_CLASSES else names[:FEW]
    lines = [
        Line(LEVELS, by_class[name], f"{name}  {areas[name]:.3f}", colour, style="--")
        for name, colour in zip(drawn, PALETTE, strict=False)
    ]
    if len(names) > 1:
        mean = np.mean([by_class[name] for name in names], axis=0)
        lines.append(Line(LEVELS, mean, f"mean of {len(names)}  {mean.mean():.3f}", INK, 2.4))
    worst = f", {len(drawn)} worst of {len(names)}" if len(drawn) < len(names) else ""
    return Panel(f"By class at IoU 0.5{worst}", PRECISION_RECALL, lines)


def _area_panel(by_iou: list[np.ndarray]) -> Panel:
    line = Line(IOUS, np.array([found.mean() for found in by_iou]), colour=INK)
    return Panel("How closely boxes fit", ("IoU that is asked for", "average precision"), [line])


def _operating_point(ranking: BoxRanking, confidence: float, whose: str) -> list[Mark]:
    curve = ranking.curve(0)
    reached = np.flatnonzero(curve.thresholds >= np.float32(confidence))
    if not len(reached) or not curve.positives:
        return []
    at = reached[-1]
    word = f"{whose}confidence {confidence:.2f}"
    return [Mark(float(curve.recall[at]), float(curve.precision[at]), word)]
