"""What does the model say of single images?"""

from typing import Any

import numpy as np

from common.callbacks.looks.base import Look
from common.evaluation import Evaluation
from common.figures.grid import sample_grid, thumbnail
from common.keys import IMAGE, IMAGE_ID, INDEX, LOSS, PREDICTION, TARGET

SIDE = 256  # pixels of a picture in a table


class Predictions(Look):
    """A table of images with truth and prediction: the worst ones, and the same few every epoch.

    Images are read again by index, with the transforms that the model saw. Sons draw and describe
    what their task predicts.
    """

    def look(self, evaluation: Evaluation) -> None:
        """Log the table and a picture of its images."""
        rows = [self._row(evaluation, row, "worst") for row in self.worst(evaluation)]
        rows += [self._row(evaluation, row, "fixed") for row in self.fixed(len(evaluation))]
        self.logger.table("valid/predictions", rows, **self.moment)
        grid = sample_grid([row["image"] for row in rows], [title(row) for row in rows], columns=4)
        self.logger.image(
            "valid/predictions_grid", grid, **self.moment, caption="worst, then fixed"
        )

    def worst(self, evaluation: Evaluation) -> np.ndarray:
        """Return the rows with the highest loss."""
        return evaluation.ranked()[: self.half(len(evaluation))]

    def fixed(self, count: int) -> np.ndarray:
        """Return the rows that are shown every epoch, spread over all `count`."""
        return np.linspace(0, count - 1, self.half(count)).astype(int)

    def half(self, count: int) -> int:
        """Return how many of each kind are shown."""
        return min(self.config.log.k // 2, count)

    def picture(self, evaluation: Evaluation, row: int, image: np.ndarray) -> np.ndarray:
        """Return the `(H, W, 3)` uint8 picture to show, made of the sample's own."""
        return thumbnail(image, SIDE)

    def describe(self, evaluation: Evaluation, row: int) -> dict[str, Any]:
        """Return the columns that say truth and prediction in words."""
        raise TypeError(f"{type(self).__name__} does not say what it predicts")

    def sample(self, evaluation: Evaluation, row: int) -> dict[str, Any]:
        """Return the sample of a row, as the model saw it."""
        return self.learn.dls.valid.dataset[int(evaluation[INDEX][row])]

    def _row(self, evaluation: Evaluation, row: int, why: str) -> dict[str, Any]:
        image = self.sample(evaluation, row)[IMAGE].permute(1, 2, 0).numpy()
        return {
            "image": self.picture(evaluation, row, np.ascontiguousarray(image)),
            "image_id": evaluation[IMAGE_ID][row],
            "why": why,
            **self.describe(evaluation, row),
            "loss": float(evaluation[LOSS][row]),
        }


class ClassPredictions(Predictions):
    """Truth, predicted class and its probability."""

    def describe(self, evaluation: Evaluation, row: int) -> dict[str, Any]:
        """Return truth, prediction, probability."""
        probability = evaluation[PREDICTION][row]
        return {
            "truth": self._names(evaluation[TARGET][row]),
            "prediction": self._names(probability, predicted=True),
            "probability": float(probability.max()),
        }

    def _names(self, value: Any, predicted: bool = False) -> str:
        classes = self.config.classes
        if self.config.multilabel:
            return ", ".join(classes[place] for place in np.flatnonzero(value > 0.5)) or "none"
        return classes[int(value.argmax()) if predicted else int(value)]


def title(row: dict[str, Any]) -> str:
    """Return the lines over a picture: id, truth -> prediction, how good, loss."""
    goodness = [f"{name} {row[name]:.2f}" for name in ("iou", "score") if name in row]
    said = f"{row['truth']} -> {row['prediction']}"
    if "probability" in row:
        said += f" ({row['probability']:.2f})"
    return " | ".join([row["image_id"], said, *goodness, f"loss {row['loss']:.2f}"])
