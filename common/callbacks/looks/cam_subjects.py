"""What activation maps are asked for: what speaks for the prediction, what for the truth."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from common.callbacks.looks.mask_confusion import pixel_tables
from common.callbacks.looks.views import View
from common.config import Config
from common.evaluation import Evaluation
from common.figures.overlay import FOUND, TRUTH
from common.keys import BOXES, IMAGE, LABELS, MASK, PREDICTION, SCORES, TARGET
from common.metrics.box_pairs import NOBODY, pair_boxes
from common.models.cam import Aim
from common.models.cam_aims import aim_at_box, aim_at_class, aim_at_pixels, aim_at_value


class Subject(NamedTuple):
    """One question about N pictures."""

    aim: Aim
    words: Sequence[str]  # N captions; an empty one: the question makes no sense there
    boxes: Sequence[Any] = ()  # N xyxy frames to draw, or none
    colour: tuple[int, int, int] = TRUTH  # of the frames


class Asked(NamedTuple):
    """N samples of an evaluation."""

    config: Config
    view: View
    evaluation: Evaluation
    rows: np.ndarray
    samples: Sequence[Mapping[str, Any]]

    @property
    def wrong(self) -> list[bool]:
        """Whether it is worth asking what speaks for the truth."""
        return [self.view.is_wrong(self.evaluation, int(row)) for row in self.rows]

    def column(self, name: str) -> list[Any]:
        """Return the N values of a column."""
        return [self.evaluation[name][int(row)] for row in self.rows]


def class_subjects(asked: Asked, chosen: int | None) -> list[Subject]:
    """Return the predicted and, where that is wrong, the true class; or the chosen one alone."""
    shares = np.stack(asked.column(PREDICTION))
    if chosen is not None:
        return [_of_classes(asked, np.full(len(shares), chosen), shares)]
    said, truth = shares.argmax(1), np.stack(asked.column(TARGET))
    if truth.ndim == 2:  # of several labels the one that is missed most
        truth = np.where(truth > 0.5, 1 - shares, -np.inf).argmax(1)
    wrong = np.array(asked.wrong) & (said != truth)
    return [_of_classes(asked, said, shares), _of_classes(asked, truth, shares, wrong)]


def value_subjects(asked: Asked, chosen: int | None) -> list[Subject]:
    """Return what raises the number that is predicted, and what lowers it; of several the first."""
    name, count = asked.config.classes[0], len(asked.rows)
    words = {1: f"raises {name}", -1: f"lowers {name}"}
    return [Subject(aim_at_value(sign), [said] * count) for sign, said in words.items()]


def mask_subjects(asked: Asked, chosen: int | None) -> list[Subject]:
    """Return the pixels found of the commonest class and, where wrong, the true ones."""
    tables = pixel_tables(np.stack(asked.column(PREDICTION)))
    alone = len(asked.config.classes) == 1
    names = ("background", *asked.config.classes) if alone else asked.config.classes
    found, there = (tables.sum(axis)[:, 1:].argmax(1) + 1 for axis in (1, 2))
    if chosen is not None:
        found = there = np.full(len(tables), max(chosen, 1) if alone else chosen)
    masks = torch.stack([torch.as_tensor(sample[MASK]) for sample in asked.samples])
    missed = [
        f"true {names[c]}" if wrong else "" for c, wrong in zip(there, asked.wrong, strict=True)
    ]
    return [
        Subject(aim_at_pixels(found.tolist()), [f"found {names[place]}" for place in found]),
        Subject(aim_at_pixels(there.tolist(), masks), missed),
    ]


def box_subjects(asked: Asked, chosen: int | None) -> list[Subject]:
    """Return the surest box that was found and the largest true one that was not."""
    given = [_only(item, chosen) for item in asked.column(TARGET)]
    found = [_only(asked.view.prediction(asked.evaluation, int(row)), chosen) for row in asked.rows]
    surest = [int(np.argmax(item[SCORES])) if len(item[SCORES]) else None for item in found]
    pairs = pair_boxes(given, found, len(asked.config.classes), confidence=0.0)
    wrong = (pairs.truth != NOBODY) & (pairs.actual != pairs.predicted)
    missed = []
    for place, item in enumerate(given):
        rows = pairs.truth[wrong & (pairs.image == place)]
        left, top, right, bottom = item[BOXES][rows].T
        missed.append(int(rows[np.argmax((right - left) * (bottom - top))]) if len(rows) else None)
    return [_of_boxes(asked, found, surest, "found"), _of_boxes(asked, given, missed, "missed")]


def _of_classes(
    asked: Asked, classes: np.ndarray, shares: np.ndarray, shown: np.ndarray | None = None
) -> Subject:
    names, values = asked.config.classes, np.take_along_axis(shares, classes[:, None], 1)[:, 0]
    words = [f"{names[c]} {value:.2f}" for c, value in zip(classes, values, strict=True)]
    if shown is not None:
        words = [word if one else "" for word, one in zip(words, shown, strict=True)]
    return Subject(aim_at_class(classes.tolist()), words)


def _of_boxes(
    asked: Asked, items: Sequence[Mapping[str, Any]], places: Sequence[int | None], kind: str
) -> Subject:
    names, side = asked.config.classes, int(asked.samples[0][IMAGE].shape[-2])
    classes, boxes, words = [], [], []
    for item, place in zip(items, places, strict=True):
        known = place is not None
        classes.append(int(item[LABELS][place]) if known else 0)
        boxes.append(item[BOXES][place].tolist() if known else [0.0, 0.0, side, side])
        score = f" {item[SCORES][place]:.2f}" if known and SCORES in item else ""
        words.append(f"{kind} {names[classes[-1]]}{score}" if known else "")
    frames = [box if word else None for box, word in zip(boxes, words, strict=True)]
    colour = FOUND if kind == "found" else TRUTH
    return Subject(aim_at_box(classes, boxes, side), words, frames, colour)


def _only(item: Mapping[str, Any], chosen: int | None) -> Mapping[str, Any]:
    """Return the boxes of one class, or all."""
    if chosen is None:
        return item
    kept = np.asarray(item[LABELS]) == chosen
    return {key: np.asarray(value)[kept] for key, value in item.items()}


SUBJECTS: dict[str, Callable[[Asked, int | None], list[Subject]]] = {
    "classification": class_subjects,
    "regression": value_subjects,
    "segmentation": mask_subjects,
    "detection": box_subjects,
}
