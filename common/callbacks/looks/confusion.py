"""Which classes are taken for which?"""

from collections.abc import Sequence

import numpy as np

from common.callbacks.looks.label_mistakes import LabelMistakes
from common.callbacks.looks.mistakes import Cell, Mistakes
from common.evaluation import Evaluation
from common.figures.confusion import confusion_figures, most_confused
from common.keys import PREDICTION, TARGET
from common.metrics.classification import confusion_matrix

PAIRS = 6  # in the table of mistakes


class ConfusionMatrix(Mistakes):
    """The confusion matrix, as counts and by row, and its worst pairs; sons say what is counted."""

    unit = "samples"
    axes_names = ("Predicted", "Actual")
    background = False  # the last class is none

    def look(self, evaluation: Evaluation) -> None:
        """Log the figures and a table."""
        names, matrix = self.names(), self.matrix(evaluation)
        options = {"unit": self.unit, "axes_names": self.axes_names, "background": self.background}
        for name, figure in confusion_figures(matrix, names, **options):
            self.logger.figure(f"valid/{name}", figure, **self.moment)
        places, rows = {name: place for place, name in enumerate(names)}, []
        for pair in most_confused(matrix, names, PAIRS):
            cell = places[pair["actual"]], places[pair["predicted"]]
            rows.append(self.mistake(evaluation, pair, cell, self.examples(evaluation, cell)))
        self.logger.table("valid/most_confused", rows, **self.moment)

    def names(self) -> Sequence[str]:
        """Return the names of the matrix's rows and columns."""
        return self.config.classes

    def matrix(self, evaluation: Evaluation) -> np.ndarray:
        """Return the `(C, C)` counts."""
        raise TypeError(f"{type(self).__name__} does not say what it counts")

    def examples(self, evaluation: Evaluation, cell: Cell) -> np.ndarray:
        """Return the rows of the evaluation that show a cell best, best first."""
        raise TypeError(f"{type(self).__name__} does not say what shows a mistake")


class Confusion(LabelMistakes, ConfusionMatrix):
    """Classes of images; where images have several labels, the fate of each label."""

    def look(self, evaluation: Evaluation) -> None:
        """Log the matrix, or four numbers per label, and the worst mistakes."""
        if self.config.multilabel:
            self.look_at_labels(evaluation)
        else:
            super().look(evaluation)

    def matrix(self, evaluation: Evaluation) -> np.ndarray:
        """Return the `(C, C)` counts of images."""
        target, prediction = evaluation[TARGET], evaluation[PREDICTION]
        return confusion_matrix(target, prediction, len(self.config.classes))

    def examples(self, evaluation: Evaluation, cell: Cell) -> np.ndarray:
        """Return the rows of a cell, the most certain first."""
        target, prediction = evaluation[TARGET], evaluation[PREDICTION]
        rows = np.flatnonzero((target == cell[0]) & (prediction.argmax(1) == cell[1]))
        return rows[np.argsort(-prediction[rows, cell[1]], kind="stable")]
