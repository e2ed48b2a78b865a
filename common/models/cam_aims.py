"""What a class activation map may explain: a class, the pixels of a class, a box."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from common.keys import LOGITS, MASK_LOGITS
from common.models.cam import Aim, Target
from common.models.cam_tap import Tap

RAW = "cls_logits"  # torchvision's name of `(N, P, C)` scores of places


def aim_at_class(classes: Sequence[int]) -> Aim:
    """Return the aim at the logit of a class of each of N pictures."""

    def aim(outputs: Mapping[str, Any], tap: Tap) -> Target:
        logits = outputs[LOGITS]
        chosen = torch.as_tensor(classes, device=logits.device)
        return Target(logits.gather(1, chosen[:, None])[:, 0], [0] * len(logits))

    return aim


def aim_at_value(sign: float) -> Aim:
    """Return the aim at the first number of a regression: what raises it, or, by -1, lowers it."""

    def aim(outputs: Mapping[str, Any], tap: Tap) -> Target:
        logits = outputs[LOGITS]
        return Target(sign * logits[:, 0], [0] * len(logits))

    return aim


def aim_at_pixels(classes: Sequence[int], truth: Tensor | None = None) -> Aim:
    """Return the aim at the mean logit of a class over its pixels (Vinogradova et al., 2020).

    Args:
        classes: of each of N pictures; 1 is the foreground where there is one class.
        truth: `(N, H, W)` masks; None: the pixels that the model gives to the class. A picture
            without such pixels counts whole.
    """

    def aim(outputs: Mapping[str, Any], tap: Tap) -> Target:
        logits = outputs[MASK_LOGITS]
        chosen = torch.as_tensor(classes, device=logits.device)
        alone = logits.shape[1] == 1
        wanted = logits[
            torch.arange(len(logits), device=logits.device), chosen * 0 if alone else chosen
        ]
        said = (logits[:, 0] > 0).long() if alone else logits.argmax(1)
        where = (said if truth is None else truth.to(said)) == chosen[:, None, None]
        where = where | ~where.flatten(1).any(1)[:, None, None]
        return Target((wanted * where).sum((1, 2)) / where.sum((1, 2)), [0] * len(logits))

    return aim


def aim_at_box(classes: Sequence[int], boxes: Sequence[Sequence[float]], side: int) -> Aim:
    """Return the aim at the place in a box of each of N pictures that is surest of a class.

    Its level of the pyramid is where the box was found, or would have been.

    Args:
        classes: of each of N pictures.
        boxes: `(N, 4)` xyxy pixels.
        side: pixels, height of the pictures.
    """

    def aim(outputs: Mapping[str, Any], tap: Tap) -> Target:
        logits = tap.raw[RAW]
        x, y, reach, level = _places(tap.features, logits.shape[1], side)
        values, levels = [], []
        for place, (label, (left, top, right, bottom)) in enumerate(
            zip(classes, boxes, strict=True)
        ):
            beside = ((x - (left + right) / 2).abs() - (right - left) / 2).clamp(min=0)
            above = ((y - (top + bottom) / 2).abs() - (bottom - top) / 2).clamp(min=0)
            outside = torch.maximum(beside, above) > reach
            score = logits[place, :, label].masked_fill(outside, -torch.inf)
            best = int(score.argmax())
            values.append(logits[place, best, label])
            levels.append(int(level[best]))
        return Target(torch.stack(values), levels)

    return aim


def _places(features: Sequence[Tensor], count: int, side: int) -> tuple[Tensor, ...]:
    """Return of P places: centre x and y, half a stride (all in pixels), level; each `(P,)`."""
    cells = [feature.shape[-2] * feature.shape[-1] for feature in features]
    per_cell, device = count // sum(cells), features[0].device
    parts = []
    for level, feature in enumerate(features):
        height, width = feature.shape[-2:]
        stride = side / height
        rows = torch.arange(height * width * per_cell, device=device) // per_cell
        x, y = (rows % width + 0.5) * stride, (rows // width + 0.5) * stride
        parts.append((x, y, torch.full_like(x, stride / 2), torch.full_like(rows, level)))
    return tuple(torch.cat(column) for column in zip(*parts, strict=True))
