"""Which classes are taken for which?"""

from common.callbacks.looks.base import Look
from common.evaluation import Evaluation
from common.figures.confusion import confusion_figure, most_confused
from common.keys import PREDICTION, TARGET
from common.metrics.classification import confusion_matrix


class Confusion(Look):
    """Confusion matrix of a single-label classifier, as counts and by row, and its worst pairs."""

    def look(self, evaluation: Evaluation) -> None:
        """Log two figures and a table."""
        target, prediction = evaluation[TARGET], evaluation[PREDICTION]
        if target.ndim > 1:
            return  # several labels per image have no single matrix
        classes = self.config.classes
        matrix = confusion_matrix(target, prediction.argmax(1), len(classes))
        for name, normalise in (("confusion", True), ("confusion_counts", False)):
            figure = confusion_figure(matrix, classes, normalise=normalise)
            self.logger.figure(f"valid/{name}", figure, **self.moment)
        self.logger.table("valid/most_confused", most_confused(matrix, classes, 10), **self.moment)
