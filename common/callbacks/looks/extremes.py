"""Which samples and batches are best and worst?"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from common.callbacks.looks.collected import Album, Batch, TrainSteps, split_batches
from common.callbacks.looks.ranking import Ranked, Ranking, apart
from common.callbacks.looks.sample_look import Row, SampleLook, section_of
from common.callbacks.looks.steps import Listener
from common.config import Config
from common.evaluation import Evaluation
from common.figures.gallery import Section, gallery
from common.keys import INDEX, LOSS
from common.loggers.base import Logger

NO_INDEX = np.empty(0, np.int64)
WORDS = {"worst": "worst", "best": "best", "broken": "not finite"}


class Split(NamedTuple):
    """The samples of training or validation in the order of their batches."""

    name: str
    samples: Ranked
    sizes: Sequence[int]  # samples of each batch
    row_of: Callable[[int], Row]  # from a row of `samples`
    by: str  # what they are ranked by
    sign: int  # of that in `Ranked.badness`
    note: str = ""


class Extremes(SampleLook):
    """Best and worst samples and batches of training and validation, by `log.rank_by`.

    What is not finite is shown apart and ranked nowhere. Training samples are shown with the
    augmentation of their epoch, which is a function of seed, epoch and index, but without what
    was mixed into them on the device; their predictions are not gathered.
    """

    def __init__(self, config: Config, logger: Logger) -> None:
        super().__init__(config, logger)
        self.ranking = Ranking(config.log.rank_by, self.view)

    def before_fit(self) -> None:
        self.ranking.check([term.name for term in self.learn.loss_func.terms])
        self.steps = TrainSteps()
        super().before_fit()

    def listeners(self) -> list[Listener]:
        handlers = {"before_train": self._begin_training, "after_loss": self._add_step}
        return [*super().listeners(), self.listener(self.order, handlers)]

    def begin(self) -> None:
        super().begin()
        self.album, self.arrived = Album(self.config.log.k), list[np.ndarray]()

    def follow(self, columns: Mapping[str, Any]) -> None:
        self.arrived.append(columns[INDEX].copy())
        if self.view.keeps:
            self.keep(columns[INDEX], self.album.add(self.ranking.rank(columns)))

    def lend(self) -> Any:
        return {**super().lend(), "arrived": self.arrived, "steps": self.steps.lend()}

    def take(self, parts: list[Any]) -> None:
        super().take(parts)
        batches = zip_longest(*(part["arrived"] for part in parts), fillvalue=NO_INDEX)
        self.arrived = [np.concatenate(batch) for batch in batches]
        self.steps.take([part["steps"] for part in parts])

    def look(self, evaluation: Evaluation) -> None:
        """Log for each split a table of samples, a gallery of them and one of batches."""
        if self.steps.sizes:  # none where an epoch was resumed behind its last batch
            self._log(self._training())
        self.view.attend(evaluation)
        self._log(self._validation(evaluation))

    def _begin_training(self) -> None:
        self.steps = TrainSteps()

    def _add_step(self) -> None:
        loss, terms = self.learn.loss_func, self.learn.loss_func.samples
        main = loss.main(terms)
        self.steps.add(self.learn.batch[INDEX], terms.get(self.ranking.by, main), main)

    def _training(self) -> Split:
        samples, dataset, config = self.steps.read(), self.learn.dls.train.dataset, self.config
        by = LOSS if self.ranking.by_metric else self.ranking.by

        def row_of(place: int) -> Row:
            index = int(samples.number[place])
            sample = dataset[index]
            row = {"image": self.view.picture(sample), "image_id": dataset.image_id(index)}
            row |= {"truth": self.view.truth(sample), "loss": float(samples.loss[place])}
            return row if by == LOSS else {**row, by: float(samples.badness[place])}

        mixed = config.task == "classification" and (config.train.mixup or config.train.cutmix)
        note = "; losses are of mixed pictures, shown unmixed" if mixed else ""
        return Split("train", samples, self.steps.sizes, row_of, by, 1, note)

    def _validation(self, evaluation: Evaluation) -> Split:
        rows = np.searchsorted(evaluation[INDEX], np.concatenate(self.arrived))
        samples, ranking = self.ranking.rank(evaluation.columns).take(rows), self.ranking
        described = ranking.by == LOSS or ranking.by_metric

        def row_of(place: int) -> Row:
            row = self.valid_row(evaluation, int(rows[place]))
            return row if described else {**row, ranking.by: float(samples.badness[place])}

        sizes = [len(index) for index in self.arrived]
        sign = -1 if ranking.by_metric else 1
        return Split("valid", samples, sizes, row_of, ranking.by, sign)

    def _log(self, split: Split) -> None:
        split = split._replace(row_of=cache(split.row_of))
        rows = extreme_rows(split, self.config.log.k)
        table = [{**row, "why": WORDS[name]} for name in rows for row in rows[name]]
        self.logger.table(f"{split.name}/extremes", table, **self.moment)
        sections = [section_of(_heading(split, name), rows[name]) for name in rows]
        page = gallery(sections, self.view.tile, self.view.legend)
        self.logger.image(f"{split.name}/extremes_grid", page, **self.moment)
        batches = split_batches(split.samples, split.sizes, self.config.log.k)
        sections = [_batch_section(split, *batch) for batch in batches.items()]
        page = gallery(sections, self.view.tile, self.view.legend)
        self.logger.image(f"{split.name}/extreme_batches", page, **self.moment)


def extreme_rows(split: Split, k: int) -> dict[str, list[Row]]:
    """Return the rows to show: worst, best, not finite."""
    finite = int(np.isfinite(split.samples.badness).sum())
    chosen = apart(split.samples.extremes(k), finite)
    return {
        name: [split.row_of(place) for place in places.tolist()]
        for name, places in chosen._asdict().items()
    }


def _heading(split: Split, name: str) -> str:
    broken = int((~np.isfinite(split.samples.badness)).sum())
    total = f"{len(split.samples.number):,} samples of {split.name}"
    if name == "broken":
        return f"Not finite: {broken:,} of {total}, the first ones"
    return f"{WORDS[name].capitalize()} by {split.by}, of {total}{split.note}"


def _batch_section(split: Split, name: str, batch: Batch) -> Section:
    rows = [split.row_of(place) for place in batch.members.tolist()]
    number = f"{batch.number + 1:,} of {len(split.sizes):,} of {split.name}"
    mean = f"mean {split.by} {split.sign * batch.badness:.3g}"
    shown = f"{len(rows)} of its {batch.size} samples, worst first"
    kind = WORDS[name].capitalize()
    return section_of(f"{kind} batch: {number}, {mean}; {shown}{split.note}", rows)
