"""Which labels are probably wrong?"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from common.callbacks.looks.collected import TrainSteps
from common.callbacks.looks.label_picture import PICTURES
from common.callbacks.looks.label_witness import WITNESSES
from common.callbacks.looks.sample_look import Row, SampleLook
from common.callbacks.looks.steps import Listener
from common.config import Config
from common.evaluation import Evaluation
from common.figures.gallery import Section, gallery
from common.keys import IMAGE_ID, INDEX, LOSS
from common.label_history import LabelHistory, records, say, word_issues
from common.loggers.base import Logger
from common.metrics.testimony import DOUBT
from common.train_losses import TrainLosses

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
        self._begin_losses()
        super().before_fit()

    def listeners(self) -> list[Listener]:
        if not self.learns:
            return super().listeners()
        handlers = {"before_train": self._begin_training, "after_loss": self._add_step}
        return [*super().listeners(), self.listener(self.order, handlers)]

    def begin(self) -> None:
        super().begin()
        self.witness.begin()

    def follow(self, columns: Mapping[str, Any]) -> None:
        self.witness.follow(self.learn.batch, self.learn.pred)

    def lend(self) -> Any:
        steps = self.steps.lend() if self.learns else None
        return {**super().lend(), "steps": steps, "witness": self.witness.lend()}

    def take(self, parts: list[Any]) -> None:
        super().take(parts)
        self.witness.take([part["witness"] for part in parts])
        if self.learns:
            self.steps.take([part["steps"] for part in parts])

    def look(self, evaluation: Evaluation) -> None:
        """Let the epoch testify."""
        rows = self.witness.testify(evaluation, self.learn.dls.valid.dataset)
        rows[IMAGE_ID] = np.asarray(evaluation[IMAGE_ID], object)[
            np.searchsorted(evaluation[INDEX], rows[INDEX])
        ]
        self.history.hear(self.learn.epoch + 1, float(np.mean(evaluation[LOSS])), rows)
        if self.learns and self.steps.sizes:
            samples = self.steps.read()
            self.learnt.add(self.learn.epoch + 1, samples.number, samples.loss)
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

    def _begin_losses(self) -> None:
        train, dataset = self.config.train, self.learn.dls.train.dataset
        # the loss of a mixed picture is not of its label, that of several labels not of one
        several = train.mixup or train.cutmix or self.config.multilabel
        self.learns = bool(self.run_folder) and self.config.task == "classification" and not several
        if self.learns and self.run_folder:
            ids = [dataset.image_id(index) for index in range(len(dataset))]
            self.learnt = TrainLosses(ids, self.run_folder.train_losses_file)
            self.learnt.resume(self.learn.first_epoch)

    def _begin_training(self) -> None:
        self.steps = TrainSteps()

    def _add_step(self) -> None:
        loss, terms = self.learn.loss_func, self.learn.loss_func.samples
        main = loss.main(terms)
        self.steps.add(self.learn.batch[INDEX], main, main)

    def _row(self, issue: Mapping[str, Any], words: Mapping[str, Any]) -> Row:
        dataset = self.learn.dls.valid.dataset
        picture = self.picture(dataset[int(issue[INDEX])], issue, dataset)
        return {"image": picture, **words}

    def _show(self, top: pd.DataFrame) -> None:
        words = word_issues(top, self.config)
        rows = [
            self._row(issue, said) for issue, said in zip(records(top), records(words), strict=True)
        ]
        self.logger.table(NAME, rows, **self.moment)
        heading = f"The {len(rows)} labels most in doubt, of {len(self.losses):,} samples of valid"
        titles = [f"{row[IMAGE_ID]} | {say(row)} | doubt {row[DOUBT]:.2f}" for row in rows]
        page = gallery([Section(heading, [row["image"] for row in rows], titles)], self.view.tile)
        self.logger.image(f"{NAME}_grid", page, **self.moment)
