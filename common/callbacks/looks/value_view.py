"""How a regression shows one sample."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from common.callbacks.looks.mistakes import image_of
from common.callbacks.looks.views import SIDE, View
from common.evaluation import Evaluation
from common.figures.grid import thumbnail
from common.keys import LABEL, PREDICTION, TARGET

MOST = 3  # numbers of one sample that are written


class ValueView(View):
    """The image; true and predicted numbers, and by how much the prediction is off."""

    legend = "true → predicted; the error is predicted - true (of several columns its mean size)"

    def picture(self, sample: Mapping[str, Any], prediction: Any = None) -> np.ndarray:
        """Return the image."""
        return thumbnail(image_of(dict(sample)), SIDE)

    def truth(self, sample: Mapping[str, Any]) -> str:
        """Return the numbers; of several with their names."""
        return self._words(np.asarray(sample[LABEL]))

    def describe(self, evaluation: Evaluation, row: int) -> dict[str, Any]:
        """Return the prediction and its error: the mean over columns of how far it is off."""
        target, said = evaluation[TARGET][row], evaluation[PREDICTION][row]
        error = float(said[0] - target[0] if len(said) == 1 else np.abs(said - target).mean())
        return {"prediction": self._words(said), "error": error}

    def is_wrong(self, evaluation: Evaluation, row: int) -> bool:
        """Return False: numbers are near or far, and activation maps have one question."""
        return False

    def _words(self, values: np.ndarray) -> str:
        if len(values) == 1:
            return f"{values[0]:.4g}"
        pairs = list(zip(self.config.classes, values.tolist(), strict=True))
        more = ", …" if len(pairs) > MOST else ""
        return ", ".join(f"{name} {value:.3g}" for name, value in pairs[:MOST]) + more
