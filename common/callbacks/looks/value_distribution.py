"""Do predicted numbers spread as the true ones do?"""

import numpy as np

from common.callbacks.looks.base import Look
from common.evaluation import Evaluation
from common.figures.residuals import spread_figure
from common.keys import PREDICTION, TARGET


class ValueDistribution(Look):
    """Distribution of truth and prediction, column by column, and how much narrower the latter is.

    A model that knows little keeps to the mean: its predictions spread less than the truth.
    """

    def look(self, evaluation: Evaluation) -> None:
        """Log a figure, and the predictions' standard deviation over that of the truth."""
        target, prediction = evaluation[TARGET], evaluation[PREDICTION]
        finite = np.isfinite(prediction).all(1)
        if not finite.any():
            return  # the metrics say so already
        target, prediction = (values[finite].astype(np.float64) for values in (target, prediction))
        figure = spread_figure(target, prediction, self.config.classes)
        self.logger.figure("valid/distribution", figure, **self.moment)
        truth = target.std(0)
        if (truth > 0).any():
            share = float((prediction.std(0)[truth > 0] / truth[truth > 0]).mean())
            self.logger.scalars({"valid/distribution/spread": share}, **self.moment)
