"""How a task shows one sample: as a picture of truth and prediction, and in words."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from common.callbacks.looks.mistakes import image_of
from common.config import Config
from common.evaluation import Evaluation
from common.figures.grid import thumbnail
from common.keys import LABEL, PREDICTION, TARGET

SIDE = 256  # pixels of a picture in a table
TILE = 176  # and in a gallery


class View:
    """What looks at single samples ask of a task; sons answer."""

    metric = ""  # a metric that each sample has on its own; the larger the better
    keeps = False  # an evaluation lacks the predictions to show, so those of a few are kept
    tile = TILE  # pixels of a picture in a gallery, longer side
    legend = ""  # what colours and numbers mean, above a gallery

    def __init__(self, config: Config) -> None:
        self.config = config

    def attend(self, evaluation: Evaluation) -> None:
        """Learn what holds for all samples of an evaluation."""

    def scores(self, columns: Mapping[str, Any]) -> np.ndarray:
        """Return the `(N,)` metric of samples, from an evaluation or part of its columns."""
        raise TypeError(f"{type(self).__name__} has no metric of single samples")

    def keep(self, outputs: Mapping[str, Any], place: int) -> Any:
        """Return what is to be kept of the outputs of a batch for one of its samples."""

    def prediction(self, evaluation: Evaluation, row: int) -> Any:
        """Return what `picture` takes as the prediction, where it is in the evaluation."""
        return evaluation[PREDICTION][row]

    def picture(self, sample: Mapping[str, Any], prediction: Any = None) -> np.ndarray:
        """Return `(H, W, 3)` uint8: truth and prediction, or the truth alone."""
        raise TypeError(f"{type(self).__name__} does not say what it shows")

    def truth(self, sample: Mapping[str, Any]) -> str:
        """Return the truth in words."""
        raise TypeError(f"{type(self).__name__} does not say what is true")

    def describe(self, evaluation: Evaluation, row: int) -> dict[str, Any]:
        """Return the prediction in words, and how good it is."""
        raise TypeError(f"{type(self).__name__} does not say what is predicted")

    def is_wrong(self, evaluation: Evaluation, row: int) -> bool:
        """Return whether it is worth asking what speaks for the truth."""
        raise TypeError(f"{type(self).__name__} does not say what is wrong")


class ClassView(View):
    """The image; truth, predicted class and its probability."""

    def picture(self, sample: Mapping[str, Any], prediction: Any = None) -> np.ndarray:
        """Return the image."""
        return thumbnail(image_of(dict(sample)), SIDE)

    def truth(self, sample: Mapping[str, Any]) -> str:
        """Return the class, or the labels."""
        label = np.asarray(sample[LABEL])
        if self.config.multilabel:
            return self._labels(label)
        if label.ndim:  # shares: a soft pseudo-label, or a true one beside such
            best, most = self.config.classes[int(label.argmax())], float(label.max())
            return best if most == 1 else f"{best} ({most:.2f})"
        return self.config.classes[int(label)]

    def describe(self, evaluation: Evaluation, row: int) -> dict[str, Any]:
        """Return prediction and probability."""
        probability = evaluation[PREDICTION][row]
        several = self.config.multilabel
        best = self.config.classes[int(probability.argmax())]
        return {
            "prediction": self._labels(probability) if several else best,
            "probability": float(probability.max()),
        }

    def is_wrong(self, evaluation: Evaluation, row: int) -> bool:
        """Return whether the class, or any label, is another one."""
        target, prediction = evaluation[TARGET][row], evaluation[PREDICTION][row]
        if self.config.multilabel:
            return bool(((target > 0.5) != (prediction > 0.5)).any())
        return int(prediction.argmax()) != int(target)

    def _labels(self, values: np.ndarray) -> str:
        names = [self.config.classes[place] for place in np.flatnonzero(values > 0.5)]
        return ", ".join(names) or "none"
