"""How a task's predictions testify against its labels, one validation at a time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from common.config import Config
from common.evaluation import Evaluation
from common.keys import INDEX, MASK, MASK_LOGITS, PREDICTION, TARGET
from common.metrics.box_issues import box_testimony
from common.metrics.label_issues import class_testimony, several_testimony
from common.metrics.mask_issues import Part, mask_testimony, wrong_parts
from common.metrics.testimony import GIVEN, NOTHING, REGION, SUGGESTED


class Witness:
    """Says what a validation says against labels; sons know their task."""

    def __init__(self, config: Config) -> None:
        self.config = config

    def begin(self) -> None:
        """Begin a validation."""

    def follow(self, batch: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        """See a batch of it, for what the evaluation will not hold."""

    def lend(self) -> Any:
        """Return what it saw, for the witness of another process."""
        return None

    def take(self, parts: list[Any]) -> None:
        """Take what the witnesses of all processes saw."""

    def testify(self, evaluation: Evaluation, dataset: Any) -> pd.DataFrame:
        """Return the testimony, with regions in pixels of the picture's file."""
        raise TypeError(f"{type(self).__name__} does not say anything")


class ClassWitness(Witness):
    """Of one class, or of several labels."""

    def testify(self, evaluation: Evaluation, dataset: Any) -> pd.DataFrame:
        """Return at most a row for each sample, or for each of its labels."""
        say = several_testimony if self.config.multilabel else class_testimony
        return say(evaluation[INDEX], evaluation[TARGET], evaluation[PREDICTION])


class BoxWitness(Witness):
    """Of boxes, true and found."""

    def testify(self, evaluation: Evaluation, dataset: Any) -> pd.DataFrame:
        """Return at most a row for each true box, and for each found one that none is near."""
        side = self.config.data.img_size
        rows = box_testimony(evaluation[INDEX], evaluation[TARGET], evaluation[PREDICTION])
        if side is None:
            return rows
        doubted, places = np.unique(rows[INDEX], return_inverse=True)
        sizes = np.array([dataset.size(index) for index in doubted.tolist()]).reshape(-1, 2)
        scales = sizes[places][:, [1, 0, 1, 0]] / side
        return rows.assign(**dict(zip(REGION, (rows[REGION] * scales).to_numpy().T, strict=True)))


class MaskWitness(Witness):
    """Of masks: only a few numbers of each window are kept."""

    def begin(self) -> None:
        self.parts: list[tuple[int, list[Part]]] = []  # index and wrong parts of each window

    def follow(self, batch: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        truth = batch[MASK]
        predicted, surer = compare(outputs[MASK_LOGITS], truth)
        columns = [x.cpu().numpy() for x in (truth, predicted, surer)]
        for index, mask, guess, by in zip(batch[INDEX].tolist(), *columns, strict=True):
            self.parts.append((index, wrong_parts(mask, guess, by)))

    def lend(self) -> Any:
        """Return the wrong parts of each window."""
        return self.parts

    def take(self, parts: list[Any]) -> None:
        """Take those of all windows, in their order."""
        self.parts = sorted((one for own in parts for one in own), key=lambda one: one[0])

    def testify(self, evaluation: Evaluation, dataset: Any) -> pd.DataFrame:
        """Return at most a row for each window and kind of mistake."""
        rows = mask_testimony(self.parts)
        one = len(self.config.classes) == 1  # its name is that of the foreground
        for column in (GIVEN, SUGGESTED):
            rows[column] = np.where(rows[column] == 0, NOTHING, rows[column] - one)
        corners = [dataset.window(index)[:2] for index in rows[INDEX].tolist()]
        shift = np.array(corners).reshape(-1, 2)[:, [1, 0, 1, 0]]
        return rows.assign(**dict(zip(REGION, (rows[REGION] + shift).to_numpy().T, strict=True)))


def compare(logits: Tensor, truth: Tensor) -> tuple[Tensor, Tensor]:
    """Return `(N, H, W)` predicted classes, uint8, and by how much they are surer than the given.

    Args:
        logits: `(N, C, H, W)`, C = 1 for one class. Where they are NaN the truth is right.
        truth: `(N, H, W)` classes or IGNORE.
    """
    logits = logits.detach().float()
    if logits.shape[1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], 1)
    probs = logits.softmax(1)
    best, guess = probs.max(1)
    known = truth.long().clamp_max(probs.shape[1] - 1)
    given = probs.gather(1, known[:, None])[:, 0]
    broken = best.isnan()
    return torch.where(broken, known, guess).byte(), (best - given).nan_to_num(0)


WITNESSES: dict[str, type[Witness]] = {
    "classification": ClassWitness,
    "segmentation": MaskWitness,
    "detection": BoxWitness,
}
