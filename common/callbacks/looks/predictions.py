"""How do predictions change from epoch to epoch?"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from common.callbacks.looks.sample_look import SampleLook, section_of
from common.evaluation import Evaluation
from common.figures.gallery import gallery
from common.keys import INDEX


class Predictions(SampleLook):
    """The same few samples every epoch, spread over all, with truth and prediction."""

    def begin(self) -> None:
        super().begin()
        self.pinned = set(self.fixed(len(self.learn.dl.dataset)).tolist())

    def follow(self, columns: Mapping[str, Any]) -> None:
        self.keep(columns[INDEX], self.pinned)

    def look(self, evaluation: Evaluation) -> None:
        """Log a table and a picture of its images."""
        self.view.attend(evaluation)
        rows = [self.valid_row(evaluation, row) for row in self.fixed(len(evaluation))]
        self.logger.table("valid/predictions", rows, **self.moment)
        page = gallery([section_of("The same every epoch", rows)], self.view.tile, self.view.legend)
        self.logger.image("valid/predictions_grid", page, **self.moment)

    def fixed(self, count: int) -> np.ndarray:
        """Return the rows that are shown every epoch, spread over all `count`."""
        return np.linspace(0, count - 1, min(max(self.config.log.k // 2, 1), count)).astype(int)
