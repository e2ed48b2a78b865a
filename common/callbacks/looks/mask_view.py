"""How segmentation shows a window."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from common.callbacks.looks.mask_confusion import pixel_tables
from common.callbacks.looks.mistakes import image_of
from common.callbacks.looks.views import SIDE, TILE, View
from common.evaluation import Evaluation
from common.figures.grid import thumbnail
from common.figures.overlay import mask_overlay, side_by_side
from common.keys import IGNORE, MASK, MASK_LOGITS, PREDICTION


class MaskView(View):
    """Image beside found (green), invented (yellow) and missed (red) foreground.

    An evaluation keeps counts, not masks; those of the few windows that will be shown are kept
    while validating. A window without foreground in truth and prediction has an IoU of 1.
    """

    metric, keeps, tile = "iou", True, 2 * TILE
    legend = (
        "green: right, red: missed, yellow: invented, dark: not counted; "
        "%: share of foreground, true → found"
    )

    def scores(self, columns: Mapping[str, Any]) -> np.ndarray:
        """Return the mean IoU over the foreground classes of each window; NaN if it has NaN."""
        counts = np.asarray(columns[PREDICTION])
        tables = pixel_tables(counts)
        hits = tables.diagonal(axis1=1, axis2=2)
        union = tables.sum(1) + tables.sum(2) - hits
        there = union[:, 1:] > 0
        ratios = np.where(there, hits[:, 1:] / np.maximum(union[:, 1:], 1), 0)
        means = np.where(there.any(1), ratios.sum(1) / np.maximum(there.sum(1), 1), 1.0)
        return np.where((counts < 0).any((1, 2)), np.nan, means)

    def keep(self, outputs: Mapping[str, Any], place: int) -> np.ndarray:
        """Return `(H, W)` uint8 classes."""
        logits = outputs[MASK_LOGITS][place]
        found = logits[0] > 0 if len(logits) == 1 else logits.argmax(0)
        return found.to(torch.uint8).cpu().numpy()

    def picture(self, sample: Mapping[str, Any], prediction: Any = None) -> np.ndarray:
        """Return the image on the left, its mask in colours on the right; the truth is green."""
        image, truth = image_of(dict(sample)), np.asarray(sample[MASK])
        overlay = mask_overlay(image, truth, truth if prediction is None else prediction)
        return thumbnail(side_by_side(image, overlay), 2 * SIDE)

    def truth(self, sample: Mapping[str, Any]) -> str:
        """Return the share of foreground."""
        mask = np.asarray(sample[MASK])
        known = mask != IGNORE
        return f"{((mask > 0) & known).sum() / max(known.sum(), 1):.1%}"

    def describe(self, evaluation: Evaluation, row: int) -> dict[str, Any]:
        """Return the share of foreground that is predicted, and the IoU."""
        counts = evaluation[PREDICTION][row : row + 1]
        table = pixel_tables(counts)[0]
        return {
            "prediction": f"{table[:, 1:].sum() / max(table.sum(), 1):.1%}",
            "iou": float(self.scores({PREDICTION: counts})[0]),
        }

    def is_wrong(self, evaluation: Evaluation, row: int) -> bool:
        """Return whether less than half of the union is common."""
        return bool(self.scores({PREDICTION: evaluation[PREDICTION][row : row + 1]})[0] < 0.5)
