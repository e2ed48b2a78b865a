"""Prediction of large pictures by overlapping tiles, blended so that no seam is seen.

A tile is weighted by a pyramid, as usual: most in its middle, next to nothing at its edges, where a
network knows little of what lies beyond. The pyramid is a product of a tent down and one across,
and so is the sum of all of them: each tent is divided by the sum of the tents along its axis, once,
and the weights of a pixel add up to 1 without a map of weights and a division at the end.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from common.data.dataset import to_tensor
from common.data.windows import Window, cut
from common.errors import KitError
from common.keys import IMAGE

Decode = Callable[[Mapping[str, Any]], Tensor]


class Span(NamedTuple):
    """Where a tile lies along one axis, and the weight of each of its pixels."""

    start: int
    weights: np.ndarray  # (tile,) float32


def spans(length: int, tile: int, step: int, margin: int = 0) -> list[Span]:
    """Return the tiles along an axis of `length` pixels; the weights of a pixel sum to 1.

    Args:
        length: pixels of the picture; one tile suffices where it is not longer.
        tile: pixels of a tile; the last one ends with the picture.
        step: pixels from one tile to the next.
        margin: pixels at a tile's edge that do not count, except where the picture ends there.
    """
    if not 0 < step <= tile - 2 * margin or margin < 0:
        raise KitError(
            f"expected a step of 1 to {tile - 2 * margin} pixels (tile {tile}, margin {margin} on "
            f"both sides), got {step}; tiles further apart leave pixels out"
        )
    last = max(length - tile, 0)
    starts = [*range(0, last, step), last]
    tents = [_tent(tile, margin, first=s == 0, last=s + tile >= length) for s in starts]
    total = np.zeros(max(length, tile))
    for start, tent in zip(starts, tents, strict=True):
        total[start : start + tile] += tent
    return [
        Span(start, (tent / total[start : start + tile]).astype(np.float32))
        for start, tent in zip(starts, tents, strict=True)
    ]


def predict_tiled(
    model: nn.Module,
    image: np.ndarray,
    decode: Decode,
    tile: int = 512,
    step: int | None = None,
    margin: int | None = None,
    batch_size: int = 1,
    device: torch.device | None = None,
) -> np.ndarray:
    """Return the prediction of a whole picture, `(H, W)` or `(C, H, W)` float32.

    Args:
        model: in evaluation mode; takes tiles under IMAGE, `(N, 3, tile, tile)` uint8.
        image: `(H, W, 3)` or grey `(H, W)` uint8; of `open_picture` only the tiles are read.
        decode: outputs of N tiles -> `(N, tile, tile)` or `(N, C, tile, tile)` probabilities.
        tile: pixels, side of a tile; what a network of stride 32 sees should be a multiple of 32.
        step: pixels from one tile to the next; None: three quarters of a tile.
        margin: pixels at a tile's edges that do not count; None: a sixteenth of a tile.
        batch_size: tiles at a time; more than one pays on a GPU only.
        device: where the model is; None: the CPU.
    """
    step = max(tile * 3 // 4, 1) if step is None else step
    margin = tile // 16 if margin is None else margin
    height, width = image.shape[:2]
    places = [
        (row, column)
        for row in spans(height, tile, step, margin)
        for column in spans(width, tile, step, margin)
    ]
    result: np.ndarray | None = None
    for start in range(0, len(places), batch_size):
        chosen = places[start : start + batch_size]
        tiles = [cut(image, Window(row.start, column.start, tile, tile)) for row, column in chosen]
        values = _predict(model, tiles, decode, device)
        if result is None:
            result = np.zeros((*values.shape[1:-2], height, width), np.float32)
        for value, (row, column) in zip(values, chosen, strict=True):
            _add(result, value, row, column)
    assert result is not None
    return result


def _predict(
    model: nn.Module, tiles: Sequence[np.ndarray], decode: Decode, device: torch.device | None
) -> np.ndarray:
    batch = torch.stack([to_tensor(tile) for tile in tiles])
    with torch.inference_mode():
        values = decode(model({IMAGE: batch.to(device or "cpu")}))
    return values.float().cpu().numpy()


def _add(result: np.ndarray, value: np.ndarray, row: Span, column: Span) -> None:
    """Add a weighted tile to `(..., H, W)`; what lies beyond the picture is left out."""
    target = result[..., row.start :, column.start :][
        ..., : len(row.weights), : len(column.weights)
    ]
    height, width = target.shape[-2:]
    target += value[..., :height, :width] * row.weights[:height, None] * column.weights[:width]


def _tent(tile: int, margin: int, first: bool, last: bool) -> np.ndarray:
    """Return `(tile,)` weights that rise from the margins to the middle; none at the border."""
    rise = np.arange(1.0, tile + 1)
    left = rise if first else rise - margin
    right = rise[::-1] if last else rise[::-1] - margin
    return np.minimum(left, right).clip(0)
