"""What does the model say of single images?"""

from typing import Any

import numpy as np

from common.callbacks.looks.base import Look
from common.evaluation import Evaluation
from common.figures.grid import sample_grid, thumbnail
from common.keys import IMAGE_ID, INDEX, LOSS, PREDICTION, TARGET


class Predictions(Look):
    """A table of images with truth and prediction: the worst ones, and the same few every epoch."""

    tasks = ("classification",)

    def look(self, evaluation: Evaluation) -> None:
        """Log the table and a picture of its images."""
        half = min(self.config.log.k // 2, len(evaluation))
        worst = evaluation.ranked()[:half]
        fixed = np.linspace(0, len(evaluation) - 1, half).astype(int)
        rows = [self._row(evaluation, row, "worst") for row in worst]
        rows += [self._row(evaluation, row, "fixed") for row in fixed]
        self.logger.table("valid/predictions", rows, **self.moment)
        grid = sample_grid([row["image"] for row in rows], [title(row) for row in rows], columns=4)
        self.logger.image(
            "valid/predictions_grid", grid, **self.moment, caption="worst, then fixed"
        )

    def _row(self, evaluation: Evaluation, row: int, why: str) -> dict[str, Any]:
        target, probability = evaluation[TARGET][row], evaluation[PREDICTION][row]
        image = self.learn.dls.valid.dataset.raw(int(evaluation[INDEX][row]))
        return {
            "image": thumbnail(image, 256),
            "image_id": evaluation[IMAGE_ID][row],
            "why": why,
            "truth": self._names(target),
            "prediction": self._names(probability, predicted=True),
            "probability": float(probability.max()),
            "loss": float(evaluation[LOSS][row]),
        }

    def _names(self, value: Any, predicted: bool = False) -> str:
        classes = self.config.classes
        if self.config.multilabel:
            return ", ".join(classes[place] for place in np.flatnonzero(value > 0.5)) or "none"
        return classes[int(value.argmax()) if predicted else int(value)]


def title(row: dict[str, Any]) -> str:
    """Return the line over a picture: id, truth -> prediction (probability), loss."""
    said = f"{row['truth']} -> {row['prediction']} ({row['probability']:.2f})"
    return f"{row['image_id']} | {said} | loss {row['loss']:.2f}"
