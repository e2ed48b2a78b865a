"""Which pixels are taken for which?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from common.callbacks.looks.confusion import ConfusionMatrix
from common.callbacks.looks.mistakes import Cell, image_of
from common.evaluation import Evaluation
from common.figures.overlay import mask_overlay, side_by_side
from common.keys import MASK, PREDICTION
from common.metrics.pixels import THRESHOLDS
from common.metrics.segmentation import at_threshold

BACKGROUND = "background"


class MaskConfusion(ConfusionMatrix):
    """Pixels of all windows, at 0.5 where there is one class; examples have the most such pixels.

    A mask is not kept, so an example shows the image beside its true foreground, in green.
    """

    unit = "pixels"

    def names(self) -> Sequence[str]:
        """Return the classes, the background among them."""
        classes = self.config.classes
        return classes if len(classes) > 1 else (BACKGROUND, *classes)

    def matrix(self, evaluation: Evaluation) -> np.ndarray:
        """Return the `(C, C)` counts of pixels; windows with NaN are left out."""
        return pixel_tables(evaluation[PREDICTION]).sum(0)

    def examples(self, evaluation: Evaluation, cell: Cell) -> np.ndarray:
        """Return the windows with any such pixel, those with most first."""
        counts = pixel_tables(evaluation[PREDICTION])[:, cell[0], cell[1]]
        return np.argsort(-counts, kind="stable")[: np.count_nonzero(counts)]

    def picture(
        self, evaluation: Evaluation, row: int, cell: Cell, sample: dict[str, Any]
    ) -> np.ndarray:
        """Return the image beside its truth."""
        image, truth = image_of(sample), sample[MASK].numpy()
        return side_by_side(image, mask_overlay(image, truth, truth))


def pixel_tables(prediction: np.ndarray) -> np.ndarray:
    """Return `(N, C, C)` counts of actual and predicted pixels; all 0 for a window with NaN.

    Args:
        prediction: what an evaluation keeps: `(N, T, 4)` counts, or such tables.
    """
    tables = prediction
    if prediction.shape[1:] == (len(THRESHOLDS), 4):
        tables = at_threshold(prediction, 0.5)[:, [3, 1, 2, 0]].reshape(-1, 2, 2)
    return np.where((tables < 0).any((1, 2), keepdims=True), 0, tables)
