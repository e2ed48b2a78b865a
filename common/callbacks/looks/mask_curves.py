"""How well are pixels ranked, whatever threshold is chosen later?"""

import numpy as np

from common.callbacks.looks.curves import Curves
from common.callbacks.looks.mask_confusion import pixel_tables
from common.evaluation import Evaluation
from common.figures.breakdown import pairs_figure
from common.keys import PREDICTION
from common.metrics.curves import Curve, pooled_curve
from common.metrics.overlap import class_iou
from common.metrics.pixels import THRESHOLDS


class MaskCurves(Curves):
    """Pixels of one class at all thresholds; of several classes precision, recall and IoU each.

    Between the thresholds nothing is counted, so the areas are sums over 31 steps.
    """

    def look(self, evaluation: Evaluation) -> None:
        """Log curves, or bars where classes were decided on already."""
        if is_binary(evaluation):
            super().look(evaluation)
        else:
            self._bars(pixel_tables(evaluation[PREDICTION]).sum(0))

    def curves(self, evaluation: Evaluation) -> dict[str, Curve]:
        """Return the curve of the pixels of all windows without NaN."""
        counts = evaluation[PREDICTION]
        pooled = counts[(counts >= 0).all((1, 2))].sum(0)
        return {self.config.classes[-1]: pooled_curve(pooled, np.array(THRESHOLDS))}

    def _bars(self, table: np.ndarray) -> None:
        hits = table.diagonal()
        parts = {
            "precision": _share(hits, table.sum(0)),
            "recall": _share(hits, table.sum(1)),
            "iou": class_iou(table),
        }
        names = self.config.classes
        rows: list[dict[str, str | int | float]] = []
        for place in np.argsort(parts["iou"], kind="stable"):  # NaN last
            scores = {part: float(values[place]) for part, values in parts.items()}
            rows.append({"class": names[place], "pixels": int(table[place].sum()), **scores})
        self.logger.table("valid/class_scores", rows, **self.moment)
        found = {f"valid/iou/{n}": float(v) for n, v in zip(names, parts["iou"], strict=True)}
        known = {name: value for name, value in found.items() if np.isfinite(value)}
        self.logger.scalars(known, **self.moment)
        figure = pairs_figure(names, parts, "share of pixels", "Precision, recall and IoU by class")
        self.logger.figure("valid/curves", figure, **self.moment)


def is_binary(evaluation: Evaluation) -> bool:
    """Tell whether an evaluation of masks keeps counts of one class at all thresholds."""
    return evaluation[PREDICTION].shape[1:] == (len(THRESHOLDS), 4)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)
