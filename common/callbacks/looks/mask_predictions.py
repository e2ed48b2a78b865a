"""Where is the mask wrong?"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from common.callbacks.looks.predictions import SIDE, Predictions
from common.evaluation import Evaluation
from common.figures.grid import thumbnail
from common.figures.overlay import mask_overlay, side_by_side
from common.keys import IGNORE, INDEX, MASK, MASK_LOGITS
from common.metrics.pixels import confusion
from common.metrics.segmentation import class_iou


class MaskPredictions(Predictions):
    """Image beside found (green), invented (yellow) and missed (red) foreground.

    An evaluation keeps counts, not masks; those of the few samples that will be shown are kept
    while validating, so memory is O(k) and the model is not run again.
    """

    run_valid = True

    def before_validate(self) -> None:
        count = len(self.learn.dl.dataset)
        self.pinned = set(self.fixed(count).tolist())
        self.room = self.half(count)
        self.masks: dict[int, np.ndarray] = {}  # by index, of the pinned and the worst so far
        self.losses: dict[int, float] = {}

    def after_loss(self) -> None:
        if self.learn.training:
            return
        learn = self.learn
        losses = learn.loss_func.total(learn.loss_func.samples).tolist()
        for place, index in enumerate(learn.batch[INDEX].tolist()):
            loss = losses[place] if losses[place] == losses[place] else float("inf")
            if index in self.pinned or self._among_worst(loss):
                self.masks[index] = _classes(learn.pred[MASK_LOGITS][place])
                self.losses[index] = loss
                self._forget()

    def worst(self, evaluation: Evaluation) -> np.ndarray:
        """Return the rows with the highest loss."""
        rows = super().worst(evaluation)
        return np.array([row for row in rows if int(evaluation[INDEX][row]) in self.masks], int)

    def picture(self, evaluation: Evaluation, row: int, image: np.ndarray) -> np.ndarray:
        """Return the image on the left, its mask in three colours on the right."""
        truth, found = self._masks(evaluation, row)
        return thumbnail(side_by_side(image, mask_overlay(image, truth, found)), 2 * SIDE)

    def describe(self, evaluation: Evaluation, row: int) -> dict[str, Any]:
        """Return the shares of foreground and the IoU of the image."""
        truth, found = self._masks(evaluation, row)
        table = confusion(found[None], truth[None], max(len(self.config.classes), 2), ignore=IGNORE)
        total = max(int(table.sum()), 1)
        return {
            "truth": f"{table[0, 1:].sum() / total:.1%}",
            "prediction": f"{table[0, :, 1:].sum() / total:.1%}",
            "iou": float(np.nan_to_num(np.nanmean(class_iou(table)[1:]), nan=1.0)),
        }

    def _masks(self, evaluation: Evaluation, row: int) -> tuple[np.ndarray, np.ndarray]:
        truth = self.sample(evaluation, row)[MASK].numpy()
        return truth, self.masks[int(evaluation[INDEX][row])]

    def _among_worst(self, loss: float) -> bool:
        others = [value for index, value in self.losses.items() if index not in self.pinned]
        return len(others) < self.room or loss > min(others)

    def _forget(self) -> None:
        others = {index: loss for index, loss in self.losses.items() if index not in self.pinned}
        if len(others) > self.room:
            index = min(others, key=lambda key: others[key])
            del self.masks[index], self.losses[index]


def _classes(logits: Tensor) -> np.ndarray:
    """Return `(H, W)` uint8 classes of `(C, H, W)` logits."""
    found = logits[0] > 0 if len(logits) == 1 else logits.argmax(0)
    return found.to(torch.uint8).cpu().numpy()
