"""Kinds of mistakes, each with the images that show it best."""

from typing import Any

import numpy as np

from common.callbacks.looks.base import Look
from common.evaluation import Evaluation
from common.figures.grid import sample_grid, thumbnail
from common.keys import IMAGE, IMAGE_ID, INDEX

EXAMPLES = 3  # of each kind
SIDE = 192  # pixels of an example
Cell = tuple[int, int]  # actual and predicted class


class Mistakes(Look):
    """Makes rows of mistakes; images of examples are read again by index, as the model saw them."""

    def mistake(
        self, evaluation: Evaluation, pair: dict[str, Any], cell: Cell, rows: np.ndarray
    ) -> dict[str, Any]:
        """Return the row of a kind of mistake: a picture of its examples, the pair, their ids.

        Args:
            pair: what is told of it, such as actual, predicted and count.
            rows: of the evaluation, those that show it best first.
        """
        rows = rows[:EXAMPLES]
        ids = [str(evaluation[IMAGE_ID][row]) for row in rows]
        pictures = [self._example(evaluation, int(row), cell) for row in rows]
        image = sample_grid(pictures, ids, columns=EXAMPLES) if pictures else None
        return {"image": image, **pair, "examples": ", ".join(ids)}

    def picture(
        self, evaluation: Evaluation, row: int, cell: Cell, sample: dict[str, Any]
    ) -> np.ndarray:
        """Return `(H, W, 3)` uint8: the sample, with what the mistake is about."""
        return image_of(sample)

    def _example(self, evaluation: Evaluation, row: int, cell: Cell) -> np.ndarray:
        sample = self.learn.dls.valid.dataset[int(evaluation[INDEX][row])]
        return thumbnail(self.picture(evaluation, row, cell, sample), SIDE)


def image_of(sample: dict[str, Any]) -> np.ndarray:
    """Return the picture of a sample as `(H, W, 3)` uint8."""
    return np.ascontiguousarray(sample[IMAGE].permute(1, 2, 0).numpy())
