"""How sure are the pixels, and is too much or too little foreground found?"""

import numpy as np

from common.callbacks.looks.base import Look
from common.callbacks.looks.mask_confusion import pixel_tables
from common.callbacks.looks.mask_curves import is_binary
from common.evaluation import Evaluation
from common.figures.breakdown import pairs_figure
from common.figures.distribution import draw_middle, draw_shares
from common.figures.lines import thin
from common.figures.panels import INK, PALE, PALETTE, dress, panel_grid
from common.keys import PREDICTION
from common.metrics.overlap import iou
from common.metrics.pixels import THRESHOLDS
from common.metrics.segmentation import tune_threshold

EDGES = np.array([0.0, *THRESHOLDS, 1.0])
MIDDLE = (10 / 32, 22 / 32)  # the thresholds next to 0.3 and 0.7
POINTS = 1000  # windows that are drawn


class MaskDistribution(Look):
    """Probability by truth, foreground predicted against true, IoU by threshold."""

    def look(self, evaluation: Evaluation) -> None:
        """Log a figure, and of one class the undecided share and the best threshold."""
        if is_binary(evaluation):
            counts = evaluation[PREDICTION]
            self._binary(counts[(counts >= 0).all((1, 2))])
        else:
            self._several(pixel_tables(evaluation[PREDICTION]).sum(0))

    def _binary(self, counts: np.ndarray) -> None:
        if not counts.sum():
            return
        pooled = counts.sum(0)
        inside, outside = by_bin(pooled, 0, 2), by_bin(pooled, 1, 3)
        total = inside.sum() + outside.sum()
        low, high = (THRESHOLDS.index(edge) for edge in MIDDLE)
        undecided = float((inside + outside)[low + 1 : high + 1].sum() / total)
        best = tune_threshold(counts)
        scores = iou(pooled)
        figure, (left, middle, right) = panel_grid(3, width=3.9)
        dress(left, ("probability", "share of the pixels"), f"{undecided:.1%} of pixels undecided")
        draw_middle(left, *MIDDLE)
        groups = {"background": outside, self.config.classes[-1]: inside}
        parts = {name: part / max(part.sum(), 1) for name, part in groups.items()}
        draw_shares(left, EDGES, parts, PALETTE)
        dress(middle, ("true share of foreground", "predicted share"), "Foreground of each window")
        true, found = foreground_shares(counts)
        top = max(float(np.max(true)), float(np.max(found)), 0.01)
        middle.plot([0, top], [0, top], ":", color=PALE, label="as much as there is")
        middle.plot(*thin(true, found, POINTS), ".", color=PALETTE[0], markersize=5, alpha=0.5)
        middle.legend(frameon=False, fontsize=8)
        dress(right, ("threshold", "IoU of all pixels"), f"Best threshold {best:.3g}")
        right.plot(THRESHOLDS, scores, color=PALETTE[0])
        right.axvline(best, color=INK, linestyle="--", linewidth=1.4)
        self.logger.figure("valid/distribution", figure, **self.moment)
        self.logger.histogram("valid/probability", inside + outside, EDGES, **self.moment)
        values = {"undecided": undecided, "best_threshold": best}
        if np.isfinite(scores).any():
            values["best_score"] = float(np.nanmax(scores))
        named = {f"valid/distribution/{name}": value for name, value in values.items()}
        self.logger.scalars(named, **self.moment)

    def _several(self, table: np.ndarray) -> None:
        total = max(int(table.sum()), 1)
        parts = {"truth": table.sum(1) / total, "prediction": table.sum(0) / total}
        figure = pairs_figure(self.config.classes, parts, "share of all pixels", "Found and true")
        self.logger.figure("valid/distribution", figure, **self.moment)


def by_bin(pooled: np.ndarray, reaching: int, below: int) -> np.ndarray:
    """Return `(T + 1,)` pixels by probability, between T ascending thresholds.

    Args:
        pooled: `(T, 4)` counts.
        reaching, below: columns of the pixels of one truth that reach a threshold and do not.
    """
    total = pooled[0, reaching] + pooled[0, below]
    return -np.diff(np.concatenate([[total], pooled[:, reaching], [0]]))


def foreground_shares(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `(N,)` true and predicted shares of foreground at 0.5 of `(N, T, 4)` counts."""
    at = counts[:, THRESHOLDS.index(0.5)]
    total = np.maximum(at.sum(1), 1)
    return (at[:, 0] + at[:, 2]) / total, (at[:, 0] + at[:, 1]) / total
