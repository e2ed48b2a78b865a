"""How detection shows a picture."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from common.callbacks.looks.boxes import confidence_of
from common.callbacks.looks.mistakes import image_of
from common.callbacks.looks.views import SIDE, View
from common.config import Config
from common.evaluation import Evaluation
from common.figures.grid import thumbnail
from common.figures.overlay import FOUND, TRUTH, draw_boxes, side_by_side
from common.keys import BOXES, LABELS, PREDICTION, SCORES, TARGET
from common.metrics.detection import USUAL_CONFIDENCE, per_image_scores
from common.metrics.matching import separate_classes

Boxes = Mapping[str, np.ndarray]


class BoxView(View):
    """Truth (green) and what was found (yellow) side by side, above the best confidence."""

    metric, tile = "score", 2 * SIDE  # large enough to read the words on boxes
    legend = "green: true boxes; yellow: found, with their confidence"

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.confidence = USUAL_CONFIDENCE

    def attend(self, evaluation: Evaluation) -> None:
        """Find the confidence from which on a box counts."""
        self.confidence = confidence_of(evaluation)

    def scores(self, columns: Mapping[str, Any]) -> np.ndarray:
        """Return the wheat competition's score of each picture, classes apart."""
        found = [self.counted(boxes) for boxes in columns[PREDICTION]]
        return per_image_scores(separate_classes(columns[TARGET]), separate_classes(found))

    def prediction(self, evaluation: Evaluation, row: int) -> Boxes:
        """Return the boxes that count."""
        return self.counted(evaluation[PREDICTION][row])

    def picture(self, sample: Mapping[str, Any], prediction: Any = None) -> np.ndarray:
        """Return the truth on the left, what was found on the right."""
        image = image_of(dict(sample))
        truth = draw_boxes(image, np.asarray(sample[BOXES]), self._names(sample), TRUTH)
        if prediction is None:
            return thumbnail(truth, SIDE)
        names = self._names(prediction) or [""] * len(prediction[SCORES])
        words = [f"{n} {s:.2f}".strip() for n, s in zip(names, prediction[SCORES], strict=True)]
        found = draw_boxes(image, prediction[BOXES], words, FOUND)
        return thumbnail(side_by_side(truth, found), 2 * SIDE)

    def truth(self, sample: Mapping[str, Any]) -> str:
        """Return how many boxes there are."""
        return _count(sample)

    def describe(self, evaluation: Evaluation, row: int) -> dict[str, Any]:
        """Return how many boxes were found, and the picture's score."""
        return {
            "prediction": _count(self.prediction(evaluation, row)),
            "score": float(self._score(evaluation, row)),
        }

    def is_wrong(self, evaluation: Evaluation, row: int) -> bool:
        """Return whether a box is missed, invented or off."""
        return self._score(evaluation, row) < 1

    def counted(self, boxes: Boxes) -> dict[str, np.ndarray]:
        """Return the boxes whose score reaches the confidence."""
        kept = boxes[SCORES] >= self.confidence
        return {key: boxes[key][kept] for key in (BOXES, LABELS, SCORES)}

    def _score(self, evaluation: Evaluation, row: int) -> float:
        columns = {key: evaluation[key][row : row + 1] for key in (TARGET, PREDICTION)}
        return float(self.scores(columns)[0])

    def _names(self, boxes: Mapping[str, Any]) -> list[str]:
        classes = self.config.classes
        return [classes[int(label)] for label in boxes[LABELS]] if len(classes) > 1 else []


def _count(boxes: Mapping[str, Any]) -> str:
    count = len(boxes[BOXES])
    return f"{count} box" if count == 1 else f"{count} boxes"
