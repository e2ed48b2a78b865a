"""Targets and predictions of every task as vectors whose inner product says how well they agree."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from common.keys import BOXES, IGNORE, IMAGE, LABEL, LOGITS, MASK, MASK_LOGITS, SCORES

GRID = 16  # cells, side of what masks and boxes are reduced to


def vectors(
    outputs: Mapping[str, Any], batch: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray] | None:
    """Return `(N, D)` predictions and `(N, D)` targets; None for outputs of another kind.

    Classes: log-probabilities and who is it (several labels: logits and which are there). Masks
    and boxes: how much of each cell of a coarse grid is covered.
    """
    if LOGITS in outputs and LABEL in batch:
        found = _classes(outputs[LOGITS].float(), batch[LABEL])
    elif MASK_LOGITS in outputs and MASK in batch:
        found = _masks(outputs[MASK_LOGITS].float(), batch[MASK])
    elif SCORES in outputs and BOXES in batch:
        size = (batch[IMAGE].shape[-2], batch[IMAGE].shape[-1])
        predicted = zip(outputs[BOXES], outputs[SCORES], strict=True)
        found = (
            torch.stack([_cover(boxes, scores, size) for boxes, scores in predicted]),
            torch.stack([_cover(boxes, torch.ones(len(boxes)), size) for boxes in batch[BOXES]]),
        )
    else:
        return None
    predictions, targets = (value.flatten(1).double().cpu().numpy() for value in found)
    return predictions, targets


def _classes(logits: Tensor, label: Tensor) -> tuple[Tensor, Tensor]:
    if label.ndim == 2:
        return logits, label
    return logits.log_softmax(1), F.one_hot(label, logits.shape[1])


def _masks(logits: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    several = logits.shape[1] > 1
    probs = logits.softmax(1) if several else logits.sigmoid()
    classes = torch.arange(logits.shape[1], device=mask.device) if several else mask.new_ones(1)
    known = (mask != IGNORE)[:, None]
    truth = (mask[:, None] == classes[:, None, None]) & known
    return F.adaptive_avg_pool2d(probs * known, GRID), F.adaptive_avg_pool2d(truth.float(), GRID)


def _cover(boxes: Tensor, weights: Tensor, size: tuple[int, int]) -> Tensor:
    """Return `(GRID, GRID)`: for each cell the largest share, times weight, that a box covers."""
    grid = torch.zeros(GRID, GRID)
    edges = torch.arange(GRID + 1)
    cells = boxes.detach().cpu() / (torch.tensor([size[1], size[0]] * 2) / GRID)
    for (left, top, right, bottom), weight in zip(cells, weights.cpu(), strict=True):
        across = (edges[1:].clamp(max=right) - edges[:-1].clamp(min=left)).clamp(min=0)
        down = (edges[1:].clamp(max=bottom) - edges[:-1].clamp(min=top)).clamp(min=0)
        grid = torch.maximum(grid, weight * down[:, None] * across)
    return grid
