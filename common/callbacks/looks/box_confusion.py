"""Which objects are missed, invented or given a wrong class?"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from common.callbacks.looks.boxes import tuned_pairs
from common.callbacks.looks.confusion import ConfusionMatrix
from common.callbacks.looks.mistakes import Cell, image_of
from common.evaluation import Evaluation
from common.figures.overlay import FOUND, TRUTH, draw_boxes
from common.keys import BOXES, PREDICTION, SCORES, TARGET

BACKGROUND = "background"


class BoxConfusion(ConfusionMatrix):
    """Boxes at IoU 0.5 and the tuned confidence; examples hold the most certain such mistakes."""

    unit, background = "boxes", True
    axes_names = ("Predicted (background: missed)", "Actual (background: invented)")

    def look(self, evaluation: Evaluation) -> None:
        """Log two figures and a table."""
        self.pairs = tuned_pairs(evaluation, len(self.config.classes))
        super().look(evaluation)

    def names(self) -> Sequence[str]:
        """Return the classes and the background."""
        return (*self.config.classes, BACKGROUND)

    def matrix(self, evaluation: Evaluation) -> np.ndarray:
        """Return the `(C + 1, C + 1)` counts of boxes."""
        return self.pairs.matrix(len(self.config.classes))

    def examples(self, evaluation: Evaluation, cell: Cell) -> np.ndarray:
        """Return the images with such a box, the most certain first, or those with the most."""
        rows = np.flatnonzero(self._of(cell))
        images, counts = np.unique(self.pairs.image[rows], return_counts=True)
        score = np.zeros(len(images))
        np.maximum.at(
            score, np.searchsorted(images, self.pairs.image[rows]), self.pairs.score[rows]
        )
        return images[np.lexsort((-counts, -score))]

    def picture(
        self, evaluation: Evaluation, row: int, cell: Cell, sample: dict[str, Any]
    ) -> np.ndarray:
        """Return the image with the boxes of the cell alone: truth green, found yellow."""
        chosen = np.flatnonzero(self._of(cell) & (self.pairs.image == row))
        truth, found = evaluation[TARGET][row], evaluation[PREDICTION][row]
        true = self.pairs.truth[chosen][self.pairs.truth[chosen] >= 0]
        seen = self.pairs.found[chosen][self.pairs.found[chosen] >= 0]
        image = draw_boxes(image_of(sample), truth[BOXES][true], colour=TRUTH)
        words = [f"{score:.2f}" for score in found[SCORES][seen]]
        return draw_boxes(image, found[BOXES][seen], words, colour=FOUND)

    def _of(self, cell: Cell) -> np.ndarray:
        return (self.pairs.actual == cell[0]) & (self.pairs.predicted == cell[1])
