"""Run-length code of masks, `start length start length ...`, in both of Kaggle's conventions.

Order "F" counts pixels down the columns (the usual one), "C" along the rows; the first pixel is
number `start`, 1 nearly everywhere. A mask without foreground is the empty string.
"""

from collections.abc import Iterable
from typing import Literal

import cv2
import numpy as np

from common.errors import KitError

Order = Literal["F", "C"]


def encode(mask: np.ndarray, order: Order = "F", start: int = 1) -> str:
    """Return the runs of the foreground of a mask, ascending.

    Args:
        mask: `(H, W)` bool or integer; all but 0 is foreground.
        order: "F" down the columns, "C" along the rows.
        start: number of the first pixel.
    """
    if mask.ndim != 2 or mask.dtype.kind not in "bui":
        raise KitError(
            f"expected a mask (H, W) of bool or integers, got {mask.shape} {mask.dtype}; "
            "threshold probabilities, and encode one class or instance at a time"
        )
    pixels = _flatten((mask if mask.dtype == np.bool_ else mask != 0).view(np.uint8), order)
    # foreground begins or ends at each change, and where it touches the ends of the image
    first, last = np.flatnonzero(pixels[:1]), np.flatnonzero(pixels[-1:]) + pixels.size
    edges = np.concatenate([first, _changes(pixels), last])
    return _join(edges[::2] + start, edges[1::2] - edges[::2])


def encode_instances(labels: np.ndarray, order: Order = "F", start: int = 1) -> list[str]:
    """Return the runs of each instance, by ascending label.

    Args:
        labels: `(H, W)` integer, 0 for the background, a number of its own for each instance.
        order: "F" down the columns, "C" along the rows.
        start: number of the first pixel.
    """
    low, high = labels.min(initial=0), labels.max(initial=0)
    if labels.ndim != 2 or labels.dtype.kind not in "bui" or low < 0 or high >= 2**31:
        raise KitError(
            f"expected labels (H, W) of integers in 0..2**31 - 1, got {labels.shape} "
            f"{labels.dtype} in {low}..{high}; 0 is the background"
        )
    pixels = _flatten(labels.astype(np.int32), order)
    begin = np.append(0, _changes(pixels))[: pixels.size]
    length = np.diff(begin, append=pixels.size)
    label = pixels[begin]
    by_label = np.argsort(label, kind="stable")
    by_label = by_label[np.count_nonzero(label == 0) :]
    ends = np.flatnonzero(np.diff(label[by_label], append=0)) + 1
    return [
        _join(begin[runs] + start, length[runs]) for runs in np.split(by_label, ends)[: len(ends)]
    ]


def decode(text: str, size: tuple[int, int], order: Order = "F", start: int = 1) -> np.ndarray:
    """Return the `(H, W)` uint8 mask of 0 and 1 that the runs describe.

    In order "F" it is a transposed view, as in the usual recipe: `np.ascontiguousarray` it where
    rows must lie one after another.

    Args:
        text: pairs of start and length, ascending, not overlapping; empty for an empty mask.
        size: height and width.
        order: "F" down the columns, "C" along the rows.
        start: number of the first pixel.

    Errors:
        KitError: the text is no such code, or leaves the image.
    """
    height, width = size
    first, length = parse(text, size, start)
    edges = np.empty(2 * len(first) + 2, np.int64)
    edges[0], edges[-1] = 0, height * width
    edges[1:-1:2], edges[2:-1:2] = first, first + length
    value = np.zeros(len(edges) - 1, np.uint8)
    value[1::2] = 1
    pixels = np.repeat(value, np.diff(edges))
    return pixels.reshape(width, height).T if order == "F" else pixels.reshape(height, width)


def merge(texts: Iterable[str]) -> str:
    """Return one code of the runs of several, of instances that do not overlap."""
    numbers = np.concatenate([np.zeros(0, np.int64), *map(_numbers, texts)])
    if len(numbers) % 2:
        raise KitError(f"expected pairs of start and length, got {len(numbers)} numbers in all")
    first, length = numbers[::2], numbers[1::2]
    order = np.argsort(first, kind="stable")
    return _join(first[order], length[order])


def parse(
    text: str, size: tuple[int, int] | None = None, start: int = 1
) -> tuple[np.ndarray, np.ndarray]:
    """Return the `(R,)` first pixels of the runs, counted from 0, and their `(R,)` lengths.

    Args:
        text: pairs of start and length, ascending, not overlapping.
        size: height and width that the runs must fit into; None where that is not known.
        start: number of the first pixel.

    Raises:
        KitError: the text is no such code.
    """
    numbers = _numbers(text)
    if len(numbers) % 2:
        raise KitError(
            f"expected pairs of start and length, got {len(numbers)} numbers; is the text cut off?"
        )
    first, length = numbers[::2], numbers[1::2]
    _require(first >= start, f"starts from {start}", first, f"pixels count from {start}")
    _require(length >= 1, "lengths from 1", length, "leave empty runs out")
    if size is not None:
        # written as a difference, since a sum of huge numbers overflows
        inside = length <= size[0] * size[1] + start - first
        _require(inside, f"runs within {size[0]} x {size[1]} pixels", first, "is the size right?")
    apart = np.append(True, first[1:] - first[:-1] >= length[:-1])[: len(first)]
    _require(apart, "runs that ascend and do not overlap", first, "sort them and join overlaps")
    return first - start, length


def _flatten(image: np.ndarray, order: Order) -> np.ndarray:
    """Return the pixels of an image `(H, W)` one after another."""
    if order not in ("F", "C"):
        raise KitError(f"expected order 'F' (columns) or 'C' (rows), got {order!r}; name one")
    # OpenCV transposes block by block, numpy pixel by pixel
    return (cv2.transpose(image) if order == "F" and image.size else image).ravel()


def _changes(pixels: np.ndarray) -> np.ndarray:
    """Return the places whose pixel differs from the one before."""
    return np.flatnonzero(pixels[1:] != pixels[:-1]) + 1


def _join(first: np.ndarray, length: np.ndarray) -> str:
    # a list prints itself in half the time of joining its numbers one by one
    return str(np.stack([first, length], 1).ravel().tolist())[1:-1].replace(",", "")


def _numbers(text: str) -> np.ndarray:
    """Return the `(K,)` int64 that a text spells."""
    if not isinstance(text, str):
        raise KitError(
            f"expected run-length code as a string, got {text!r}; "
            "read the csv with keep_default_na=False, so that an empty cell stays empty"
        )
    if text.isascii() and not text.encode().translate(None, b"0123456789 ") and text.strip():
        return np.fromstring(text, np.int64, sep=" ")  # of digits and spaces it makes no mistake
    try:
        return np.array([int(word) for word in text.split()], np.int64)
    except (ValueError, OverflowError):
        bad = next((word for word in text.split() if not word.lstrip("+-").isdecimal()), text)
        raise KitError(
            f"expected whole numbers, got {bad[:40]!r}; write start length ..."
        ) from None


def _require(good: np.ndarray, expected: str, values: np.ndarray, remedy: str) -> None:
    if not good.all():
        place = int(np.argmin(good))
        raise KitError(f"expected {expected}, got {values[place]} in pair {place + 1}; {remedy}")
