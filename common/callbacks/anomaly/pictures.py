"""The samples of a batch as pictures, as the model met them."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from common.callbacks.looks.mistakes import image_of
from common.callbacks.looks.sample_look import VIEWS
from common.callbacks.looks.views import SIDE, View
from common.config import Config
from common.figures.grid import thumbnail
from common.keys import IMAGE, IMAGE_ID, INDEX

HOLE = (255, 0, 255)  # colour of pixels that are not finite


class Shown(NamedTuple):
    """A sample of the batch; `why` is empty for one that is fine."""

    row: int
    image: np.ndarray
    image_id: str
    why: str
    truth: str


def pictures(config: Config, batch: Mapping[str, Any], rows: list[int], most: int) -> list[Shown]:
    """Return at most `most` samples, those of `rows` first."""
    view = VIEWS[config.kind](config)
    count = len(batch[INDEX])
    order = [*rows, *(row for row in range(count) if row not in set(rows))][:most]
    return [_show(view, batch, row, "not finite" if row in rows else "") for row in order]


def sample_of(batch: Mapping[str, Any], row: int) -> dict[str, Any]:
    """Return one sample on the CPU, its picture uint8; pixels that are not finite are magenta."""
    count = len(batch[INDEX])
    sample = {key: _part(value, row, count) for key, value in batch.items()}
    return {**sample, IMAGE: visible(sample[IMAGE])}


def visible(image: Tensor) -> Tensor:
    """Return `(3, H, W)` uint8 pixels, whatever numbers the picture holds."""
    if image.dtype == torch.uint8:
        return image
    holes = ~torch.isfinite(image).all(0)
    shown = image.float().nan_to_num(0, 0, 0).clamp(0, 255).round().to(torch.uint8)
    shown[:, holes] = torch.tensor(HOLE, dtype=torch.uint8)[:, None]
    return shown


def _show(view: View, batch: Mapping[str, Any], row: int, why: str) -> Shown:
    sample = sample_of(batch, row)
    # What is shown may be just what is broken: a target of NaN, a box without corners.
    try:
        image = view.picture(sample)
    except Exception:
        image = thumbnail(image_of(sample), SIDE)
    try:
        truth = view.truth(sample)
    except Exception:
        truth = ""
    return Shown(row, image, str(batch[IMAGE_ID][row]), why, truth)


def _part(value: Any, row: int, count: int) -> Any:
    if isinstance(value, Tensor):
        return value[row].detach().cpu() if value.ndim and len(value) == count else value
    part = value[row] if isinstance(value, list | tuple) and len(value) == count else value
    return part.detach().cpu() if isinstance(part, Tensor) else part
