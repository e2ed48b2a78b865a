"""Where does the model look, on its worst and its best samples?"""

import sys
from typing import Any

import numpy as np

from common.callbacks.looks.cam_subjects import SUBJECTS, Asked, Subject
from common.callbacks.looks.mistakes import image_of
from common.callbacks.looks.ranking import Ranking, apart
from common.callbacks.looks.sample_look import Row, SampleLook, section_of
from common.callbacks.looks.views import TILE
from common.config import Config
from common.environment import to_device
from common.errors import KitError, did_you_mean
from common.evaluation import Evaluation
from common.figures.gallery import gallery
from common.figures.heat import captioned, heat_overlay
from common.figures.overlay import draw_boxes, side_by_side
from common.keys import INDEX
from common.loggers.base import Logger
from common.models.cam import activation_maps
from common.models.cam_tap import NoMap

MEANING = ": the heat is where the model looked for what is named below it"


class Cam(SampleLook):
    """Class activation maps: what speaks for the prediction and, where it is wrong, for the truth.

    With `log.cam_class`, what speaks for that class. The model is the one that validated.
    """

    def __init__(self, config: Config, logger: Logger) -> None:
        super().__init__(config, logger)
        self.ranking = Ranking(config.log.rank_by, self.view)
        self.chosen = self._place_of(config.log.cam_class)

    def look(self, evaluation: Evaluation) -> None:
        """Log a table and a gallery, the worst samples above the best."""
        self.view.attend(evaluation)
        ranked = self.ranking.rank(evaluation.columns)
        finite = int(np.isfinite(ranked.badness).sum())
        chosen = apart(ranked.extremes(max(self.config.log.k // 2, 4)), finite)
        named = {"worst": chosen.worst, "best": chosen.best}
        order = np.concatenate(list(named.values()))
        try:
            rows = self._rows(evaluation, order) if len(order) else []
        except NoMap as reason:  # a network without places is nobody's mistake
            self.failed = True
            print(f"no activation maps: {reason}", file=sys.stderr)
            return
        self._log(dict(zip(order.tolist(), rows, strict=True)), named)

    def _log(self, rows: dict[int, Row], named: dict[str, np.ndarray]) -> None:
        table = [{**rows[place], "why": why} for why in named for place in named[why].tolist()]
        by = f"by {self.ranking.by}{MEANING}"
        sections = [
            section_of(f"{why.capitalize()} {by}", [rows[place] for place in named[why].tolist()])
            for why in named
        ]
        self.logger.table("valid/activation", table, **self.moment)
        if table:
            page = gallery(sections, 3 * TILE)
            self.logger.image("valid/activation_grid", page, **self.moment)

    def _rows(self, evaluation: Evaluation, order: np.ndarray) -> list[Row]:
        loader = self.learn.dls.valid
        samples = [loader.dataset[int(evaluation[INDEX][row])] for row in order]
        asked = Asked(self.config, self.view, evaluation, order, samples)
        subjects = SUBJECTS[self.config.kind](asked, self.chosen)
        batch = to_device(loader.collate_fn(samples), self.learn.device)
        maps = activation_maps(self.validated, batch, [subject.aim for subject in subjects])
        rows = []
        for place, (row, sample) in enumerate(zip(order.tolist(), samples, strict=True)):
            answers = [(s, heat[place]) for s, heat in zip(subjects, maps, strict=True)]
            picture = _picture(image_of(sample), answers, place)
            rows.append({**self.words(evaluation, row, sample), "image": picture})
        return rows

    def _place_of(self, name: str) -> int | None:
        classes = self.config.classes
        if name and name not in classes:
            raise KitError(
                f"unknown class '{name}' in log.cam_class; {did_you_mean(name, classes)}"
            )
        return classes.index(name) if name else None


def _picture(image: np.ndarray, answers: list[tuple[Subject, np.ndarray]], place: int) -> Any:
    """Return the picture, then each map over it with its caption; blank where nothing is asked."""
    parts = [captioned(image, "", TILE)]
    for subject, heat in answers:
        part = heat_overlay(image, heat)
        if subject.words[place] and subject.boxes:
            part = draw_boxes(part, np.array([subject.boxes[place]]), colour=subject.colour)
        part = captioned(part, subject.words[place], TILE)
        parts.append(part if subject.words[place] else np.full_like(part, 255))
    return side_by_side(*parts)
