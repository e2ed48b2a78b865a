"""Which objects are missed, invented or misplaced?"""

from typing import Any

import numpy as np

from common.callbacks.looks.predictions import SIDE, Predictions
from common.evaluation import Evaluation
from common.figures.grid import thumbnail
from common.figures.overlay import FOUND, TRUTH, draw_boxes, side_by_side
from common.keys import BOXES, LABELS, PREDICTION, SCORES, TARGET
from common.metrics.detection import per_image_scores, separate_classes, tune_confidence


class BoxPredictions(Predictions):
    """Truth and what was found side by side, with scores, above the best confidence."""

    def look(self, evaluation: Evaluation) -> None:
        """Log the table and a picture of its images."""
        apart = [separate_classes(evaluation[key]) for key in (TARGET, PREDICTION)]
        self.confidence = tune_confidence(*apart)[0]
        super().look(evaluation)

    def worst(self, evaluation: Evaluation) -> np.ndarray:
        """Return the rows with the lowest score; the loss would prefer those with many boxes."""
        found = [self._found(evaluation, row) for row in range(len(evaluation))]
        scores = per_image_scores(evaluation[TARGET], found)
        return np.argsort(scores, kind="stable")[: self.half(len(evaluation))]

    def picture(self, evaluation: Evaluation, row: int, image: np.ndarray) -> np.ndarray:
        """Return the truth on the left, what was found on the right."""
        truth, found = evaluation[TARGET][row], self._found(evaluation, row)
        several = len(self.config.classes) > 1
        names = [self.config.classes[label] for label in found[LABELS]] if several else []
        words = [f"{score:.2f}" for score in found[SCORES]]
        if several:
            words = [f"{name} {word}" for name, word in zip(names, words, strict=True)]
        left = draw_boxes(image, truth[BOXES], colour=TRUTH)
        right = draw_boxes(image, found[BOXES], words, colour=FOUND)
        return thumbnail(side_by_side(left, right), 2 * SIDE)

    def describe(self, evaluation: Evaluation, row: int) -> dict[str, Any]:
        """Return how many boxes there are and were found, and the image's score."""
        truth, found = evaluation[TARGET][row], self._found(evaluation, row)
        score = per_image_scores([truth], [found])[0]
        return {
            "truth": f"{len(truth[BOXES])} boxes",
            "prediction": f"{len(found[BOXES])} boxes",
            "score": float(score),
        }

    def _found(self, evaluation: Evaluation, row: int) -> dict[str, np.ndarray]:
        found = evaluation[PREDICTION][row]
        kept = found[SCORES] >= self.confidence
        return {key: found[key][kept] for key in (BOXES, LABELS, SCORES)}
