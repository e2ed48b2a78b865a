"""How far off are predicted numbers, and is the error a matter of the number's size?"""

import numpy as np

from common.callbacks.looks.base import Look
from common.evaluation import Evaluation
from common.figures.residuals import residuals_figure
from common.keys import PREDICTION, TARGET
from common.metrics.regression import METRICS

EDGES = 40  # bins of the logged histogram


class Residuals(Look):
    """Prediction against truth and the errors of each column; a table where there are several."""

    def look(self, evaluation: Evaluation) -> None:
        """Log a figure, a histogram of the first column's errors, and scores of each column."""
        target, prediction = evaluation[TARGET], evaluation[PREDICTION]
        names, finite = self.config.classes, np.isfinite(prediction).all(1)
        if not finite.any():
            return  # the metrics say so already
        target, prediction = (values[finite].astype(np.float64) for values in (target, prediction))
        figure = residuals_figure(target, prediction, names)
        self.logger.figure("valid/residuals", figure, **self.moment)
        counts, edges = np.histogram((prediction - target)[:, 0], EDGES)
        self.logger.histogram("valid/error", counts, edges, **self.moment)
        if len(names) > 1:
            self.logger.table("valid/error_scores", self._rows(target, prediction), **self.moment)

    def _rows(self, target: np.ndarray, prediction: np.ndarray) -> list[dict[str, object]]:
        rows = []
        for place, name in enumerate(self.config.classes):
            truth, said = target[:, [place]], prediction[:, [place]]
            scores = {key: METRICS[key].function(truth, said) for key in ("rmse", "mae")}
            rows.append({"column": name, **scores, "bias": float((said - truth).mean())})
        return rows
