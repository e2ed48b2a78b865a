"""Greedy matching of predicted boxes to true ones, over many images and IoU thresholds at once."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from common.errors import KitError
from common.keys import BOXES, LABELS

MAX_CELLS = 2**17  # pairs of boxes that are compared at once: a megabyte per array, in cache

FAR = 1e6  # pixels, more than a picture is wide, and still exact to 1e-9 in float64


class Matches(NamedTuple):
    """Which of M predictions hit, for T thresholds; N images, each in descending confidence."""

    starts: np.ndarray  # (N + 1,) int64, image n has the rows starts[n] to starts[n + 1]
    scores: np.ndarray  # (M,) float64 confidences
    hits: np.ndarray  # (M, T) bool
    truths: np.ndarray  # (N,) int64 true boxes per image
    broken: np.ndarray  # (N,) bool, a prediction of the image is NaN or infinite
    order: np.ndarray  # (M,) int64, their places before they were sorted


class Ragged(NamedTuple):
    """`(K, 4)` boxes of N images in one array, image n from `starts[n]` to `starts[n + 1]`."""

    rows: np.ndarray
    starts: np.ndarray


class Pairs(NamedTuple):
    """Predictions and truths that overlap: rows of both and their IoU, `(L,)` each."""

    prediction: np.ndarray
    truth: np.ndarray
    iou: np.ndarray


def match_boxes(
    truths: Sequence[np.ndarray],
    boxes: Sequence[np.ndarray],
    scores: Sequence[np.ndarray],
    thresholds: np.ndarray,
) -> Matches:
    """Match every image's predictions, most confident first, each to the best truth left.

    A prediction hits at a threshold if its IoU with the best truth that no earlier prediction took
    is larger. Equal confidences keep their order, of equal IoUs the first truth is taken.

    Args:
        truths: N arrays `(K, 4)` xyxy.
        boxes: N arrays `(P, 4)` xyxy.
        scores: N arrays `(P,)`.
        thresholds: `(T,)` ascending.

    Raises:
        KitError: not a prediction per image, shapes do not fit, a true box is NaN.
    """
    if len(truths) != len(boxes):
        raise KitError(
            f"expected a prediction per image, got {len(boxes)} for {len(truths)} images; "
            "give images without boxes empty arrays"
        )
    true, predicted = stack_boxes("truth", truths), stack_boxes("prediction", boxes)
    confidence = np.concatenate([np.zeros(0), *(np.asarray(s, np.float64) for s in scores)])
    counts = np.diff(predicted.starts)
    if not np.array_equal([len(s) for s in scores], counts) and len(scores):
        raise KitError("expected as many scores as boxes in every image; predict both together")
    if not np.isfinite(true.rows).all():
        raise KitError("expected finite true boxes, got NaN; call repair_boxes on the frame")
    image = np.repeat(np.arange(len(counts)), counts)
    order = np.lexsort((-confidence, image))  # stable, so ties keep their order
    rows, confidence = predicted.rows[order], confidence[order]
    finite = np.isfinite(rows).all(axis=1) & np.isfinite(confidence)
    predicted = Ragged(np.where(finite[:, None], rows, 0), predicted.starts)
    pairs = overlapping_pairs(predicted, true, thresholds[0])
    place = np.arange(len(rows)) - predicted.starts[image]
    hits = _greedy(pairs, place, (len(rows), len(true.rows)), thresholds)
    broken = np.bincount(image[~finite], minlength=len(counts)) > 0
    return Matches(predicted.starts, confidence, hits, np.diff(true.starts), broken, order)


def separate_classes(items: Sequence[Any]) -> list[Any]:
    """Return truths or predictions, boxes of each class shifted to where no other class is.

    Then a matching that does not look at LABELS matches within classes.
    """
    return [
        _apart(item) if isinstance(item, Mapping) and LABELS in item else item for item in items
    ]


def stack_boxes(name: str, boxes: Sequence[np.ndarray]) -> Ragged:
    """Return boxes of N images as one array; `name` is what an error calls them."""
    arrays = [np.asarray(array, dtype=np.float64) for array in boxes]
    for array in arrays:
        if array.size and (array.ndim != 2 or array.shape[1] != 4):
            raise KitError(f"expected {name} boxes of shape (K, 4) xyxy, got {array.shape}")
    starts = np.cumsum([0, *(len(array) for array in arrays)])
    return Ragged(np.concatenate([np.zeros((0, 4)), *(a.reshape(-1, 4) for a in arrays)]), starts)


def overlapping_pairs(predicted: Ragged, true: Ragged, least: float) -> Pairs:
    """Return the pairs of one image with an IoU above `least`, truths ascending in each row."""
    found = [Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))]
    found += [_touching(predicted, true, images) for images in _chunks(predicted, true)]
    prediction, truth, shared = (np.concatenate(column) for column in zip(*found, strict=True))
    areas = _areas(predicted)[prediction] + _areas(true)[truth]
    iou = shared / (areas - shared)
    near = np.flatnonzero(iou > least)
    return Pairs(prediction[near], truth[near], iou[near])


def _areas(boxes: Ragged) -> np.ndarray:
    x1, y1, x2, y2 = boxes.rows.T
    return (x2 - x1) * (y2 - y1)


def _touching(predicted: Ragged, true: Ragged, images: np.ndarray) -> Pairs:
    """Return the pairs that share an area, in place of the IoU, of a few images."""
    (one, first), (other, second) = (_padded(boxes, images) for boxes in (predicted, true))
    width = np.minimum(one[2, :, :, None], other[2, :, None])
    width -= np.maximum(one[0, :, :, None], other[0, :, None])
    height = np.minimum(one[3, :, :, None], other[3, :, None])
    height -= np.maximum(one[1, :, :, None], other[1, :, None])
    cells = np.flatnonzero((width > 0) & (height > 0))
    rows, column = np.divmod(cells, width.shape[2])
    image, row = np.divmod(rows, width.shape[1])
    shared = width.ravel()[cells] * height.ravel()[cells]
    return Pairs(first[image] + row, second[image] + column, shared)


def _padded(boxes: Ragged, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return `(4, n, K)` coordinates, padded by boxes without area, and `(n,)` first rows."""
    first = boxes.starts[images]
    counts = boxes.starts[images + 1] - first
    place = np.arange(counts.max())
    padding = place >= counts[:, None]
    rows = np.where(padding, first[0], first[:, None] + place)
    return np.where(padding, 0, boxes.rows.T[:, rows]), first


def _chunks(predicted: Ragged, true: Ragged) -> Iterator[np.ndarray]:
    """Yield images of like counts, together of about MAX_CELLS pairs of padded boxes."""
    counts = np.stack([np.diff(predicted.starts), np.diff(true.starts)])
    images = np.flatnonzero(counts.all(axis=0))
    images = images[np.lexsort(counts[:, images])]
    start, high, wide = 0, 0, 0
    for end, (rows, columns) in enumerate(counts[:, images].T.tolist()):
        high, wide = max(high, rows), max(wide, columns)
        if end > start and (end + 1 - start) * high * wide > MAX_CELLS:
            yield images[start:end]
            start, high, wide = end, rows, columns
    if len(images):
        yield images[start:]


def _greedy(
    pairs: Pairs, place: np.ndarray, shape: tuple[int, int], thresholds: np.ndarray
) -> np.ndarray:
    """Return `(M, T)` hits; `place` (M,) is each prediction's turn in its image.

    One step takes at most one pair of each image: those that are the n-th choice of the m-th
    prediction. Steps run over (m, n), so the images go side by side and the order within each is
    the competition's.
    """
    hits = np.zeros((shape[0], len(thresholds)), bool)
    taken = np.zeros((shape[1], len(thresholds)), bool)
    order = np.lexsort((-pairs.iou, pairs.prediction))  # stable: the first truth of equal IoUs
    prediction, truth, iou = (column[order] for column in pairs)
    above = iou[:, None] > thresholds
    choice = np.arange(len(iou)) - np.searchsorted(prediction, prediction)
    turn = place[prediction] * (choice.max(initial=0) + 1) + choice
    steps = np.argsort(turn, kind="stable")
    for step in np.split(steps, np.flatnonzero(np.diff(turn[steps])) + 1):
        rows, columns = prediction[step], truth[step]
        free = above[step] & ~taken[columns] & ~hits[rows]
        hits[rows] |= free
        taken[columns] |= free
    return hits


def _apart(item: Mapping[str, Any]) -> dict[str, Any]:
    boxes = np.asarray(item[BOXES], dtype=np.float64).reshape(-1, 4)
    shift = np.asarray(item[LABELS], dtype=np.float64).reshape(-1, 1) * FAR
    return {**item, BOXES: boxes + shift}
