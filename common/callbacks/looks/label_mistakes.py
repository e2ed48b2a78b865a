"""Which labels are missed or invented, where an image may have several?"""

import numpy as np

from common.callbacks.looks.mistakes import Mistakes
from common.evaluation import Evaluation
from common.figures.label_confusion import label_confusion_figure
from common.keys import PREDICTION, TARGET
from common.metrics.decisions import label_counts

KINDS = 6  # of mistakes in the table
MISSED, INVENTED = 1, 2  # columns of `label_counts`


class LabelMistakes(Mistakes):
    """A 2 x 2 table per label, as a row of four numbers, and what goes wrong most often."""

    def look_at_labels(self, evaluation: Evaluation) -> None:
        """Log a figure of all labels and a table of mistakes."""
        classes = self.config.classes
        counts = label_counts(evaluation[TARGET], evaluation[PREDICTION])
        figure = label_confusion_figure(counts, classes)
        self.logger.figure("valid/confusion", figure, **self.moment)
        rows = []
        wrong = counts[:, MISSED : INVENTED + 1]
        for place in np.argsort(-wrong, axis=None, kind="stable")[:KINDS].tolist():
            label, kind = divmod(place, 2)
            if not wrong[label, kind]:
                break
            name, other = classes[label], f"no {classes[label]}"
            actual, predicted = (other, name) if kind else (name, other)
            side = counts[label, 2 * kind : 2 * kind + 2].sum()
            pair = {
                "actual": actual,
                "predicted": predicted,
                "count": int(wrong[label, kind]),
                "share": float(wrong[label, kind] / side),
            }
            cell = label, MISSED + kind
            rows.append(self.mistake(evaluation, pair, cell, _surest(evaluation, *cell)))
        self.logger.table("valid/most_confused", rows, **self.moment)


def _surest(evaluation: Evaluation, label: int, kind: int) -> np.ndarray:
    """Return the rows in which a label is missed or invented, the most certain first."""
    present = evaluation[TARGET][:, label] > 0.5
    prediction = evaluation[PREDICTION][:, label]
    found = prediction >= 0.5
    rows = np.flatnonzero(present & ~found if kind == MISSED else found & ~present)
    certain = prediction[rows] if kind == MISSED else -prediction[rows]
    return rows[np.argsort(certain, kind="stable")]
