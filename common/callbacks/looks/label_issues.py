"""Which labels are probably wrong?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from common.callbacks.looks.label_picture import PICTURES
from common.callbacks.looks.label_witness import WITNESSES
from common.callbacks.looks.sample_look import Row, SampleLook
from common.config import Config
from common.evaluation import Evaluation
from common.figures.gallery import Section, gallery
from common.keys import IMAGE_ID, INDEX, LOSS
from common.label_history import LabelHistory, records, say, word_issues
from common.loggers.base import Logger
from common.metrics.testimony import DOUBT

NAME = "valid/label_issues"


class LabelIssues(SampleLook):
    """A ranked list of samples whose label is probably wrong, by models that never saw them.

    Every epoch of validation testifies (`common.metrics.testimony`); what the best of them say
    together is listed once the training ends: `label_issues.csv` in the run folder, and the first
    `log.k` with pictures. The history survives a resume in the run folder.
    """

    def __init__(self, config: Config, logger: Logger) -> None:
        super().__init__(config, logger)
        self.witness = WITNESSES[config.task](config)
        self.picture = PICTURES[config.task]
        self.history = LabelHistory()

    def before_fit(self) -> None:
        file = self.run_folder.label_history_file if self.run_folder else None
        self.history, self.losses = LabelHistory(file), dict[int, float]()  # losses by index
        if file and file.exists() and self.learn.first_epoch:
            self.history = LabelHistory.read(file, self.learn.first_epoch)
        super().before_fit()

    def begin(self) -> None:
        super().begin()
        self.witness.begin()

    def follow(self, columns: Mapping[str, Any]) -> None:
        self.witness.follow(self.learn.batch, self.learn.pred)

    def look(self, evaluation: Evaluation) -> None:
        """Let the epoch testify."""
        rows = self.witness.testify(evaluation, self.learn.dls.valid.dataset)
        rows[IMAGE_ID] = np.asarray(evaluation[IMAGE_ID], object)[
            np.searchsorted(evaluation[INDEX], rows[INDEX])
        ]
        self.history.hear(self.learn.epoch + 1, float(np.mean(evaluation[LOSS])), rows)
        self.losses = dict(zip(evaluation[INDEX].tolist(), evaluation[LOSS].tolist(), strict=True))

    def after_fit(self) -> None:
        if self.losses and not self.failed:
            self.guard(self.conclude)()
        super().after_fit()

    def conclude(self) -> None:
        """Write and log the list."""
        issues = self.history.verdict()
        issues[LOSS] = issues[INDEX].map(self.losses)
        if self.run_folder:
            file = self.run_folder.label_issues_file
            word_issues(issues, self.config).to_csv(file, index=False)
            self.logger.artifact("label_issues", file, "label_issues")
        top = issues.head(self.config.log.k)
        if len(top):
            self._show(top)

    def _row(self, issue: Mapping[str, Any], words: Mapping[str, Any]) -> Row:
        dataset = self.learn.dls.valid.dataset
        picture = self.picture(dataset[int(issue[INDEX])], issue, dataset)
        return {"image": picture, **words}

    def _show(self, top: pd.DataFrame) -> None:
        words = word_issues(top, self.config)
        rows = [
            self._row(issue, said)
            for issue, said in zip(records(top), records(words), strict=True)
        ]
        self.logger.table(NAME, rows, **self.moment)
        heading = f"Labels that are probably wrong: {len(rows)} surest, {len(self.losses):,} samples"
        titles = [f"{row[IMAGE_ID]} | {say(row)} | doubt {row[DOUBT]:.2f}" for row in rows]
        page = gallery([Section(heading, [row["image"] for row in rows], titles)], self.view.tile)
        self.logger.image(f"{NAME}_grid", page, **self.moment)
