"""Which found box stands for which true one, across classes: misses, inventions, confusions."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from common.keys import BOXES, LABELS, SCORES
from common.metrics.matching import Pairs, Ragged, overlapping_pairs, stack_boxes

Boxes = Mapping[str, Any]
NOBODY = -1


class BoxPairs(NamedTuple):
    """P pairs of a true box and a found one; C, the background, stands for no partner."""

    image: np.ndarray  # (P,) int64, place of the image
    truth: np.ndarray  # (P,) int64, row of the true box in its image, or -1: invented
    found: np.ndarray  # (P,) int64, row of the found box in its image, or -1: missed
    actual: np.ndarray  # (P,) int64 class
    predicted: np.ndarray  # (P,) int64 class
    score: np.ndarray  # (P,) float64, of the found box; 0 where there is none

    def matrix(self, num_classes: int) -> np.ndarray:
        """Return `(C + 1, C + 1)` int64 counts, actual in rows, the last one the background."""
        side = num_classes + 1
        cells = np.bincount(self.actual * side + self.predicted, minlength=side**2)
        return cells.reshape(side, side)


class _Flat(NamedTuple):
    """M boxes of N images: where each comes from and what it is."""

    boxes: Ragged
    image: np.ndarray
    row: np.ndarray
    label: np.ndarray
    score: np.ndarray

    def column(self, name: str, rows: np.ndarray, without: float) -> np.ndarray:
        """Return a column at `rows`, and `without` where they say NOBODY."""
        values = getattr(self, name)
        return np.append(values, np.array([without], values.dtype))[rows]


def pair_boxes(
    targets: Sequence[Boxes],
    predictions: Sequence[Boxes],
    num_classes: int,
    confidence: float,
    iou: float = 0.5,
) -> BoxPairs:
    """Pair the boxes of N images whose IoU is larger than `iou`, the best pairs first.

    Pairs of one class come before those of two: a second box of a wrong class over a true one is an
    invention and never takes the place of the right answer.

    Args:
        confidence: found boxes with a lower score are left out, as are those that are not finite.
    """
    true = _flatten("truth", targets, [np.arange(len(target[BOXES])) for target in targets])
    found = _flatten("prediction", predictions, [_kept(p, confidence) for p in predictions])
    near = overlapping_pairs(found.boxes, true.boxes, iou)
    one, other = one_to_one(near, true.label[near.truth] != found.label[near.prediction])
    missed = np.setdiff1d(np.arange(len(true.row)), other)
    invented = np.setdiff1d(np.arange(len(found.row)), one)
    truths = np.concatenate([other, missed, np.full(len(invented), NOBODY)])
    guesses = np.concatenate([one, np.full(len(missed), NOBODY), invented])
    images = true.column("image", truths, 0), found.column("image", guesses, 0)
    return BoxPairs(
        np.where(truths == NOBODY, images[1], images[0]),
        true.column("row", truths, NOBODY),
        found.column("row", guesses, NOBODY),
        true.column("label", truths, num_classes),
        found.column("label", guesses, num_classes),
        found.column("score", guesses, 0),
    )


def _kept(prediction: Boxes, confidence: float) -> np.ndarray:
    scores = np.asarray(prediction[SCORES])
    finite = np.isfinite(prediction[BOXES]).all(axis=1) & np.isfinite(scores)
    return np.flatnonzero(finite & (scores >= confidence))


def _flatten(name: str, items: Sequence[Boxes], rows: Sequence[np.ndarray]) -> _Flat:
    pairs = list(zip(items, rows, strict=True))
    boxes = stack_boxes(name, [item[BOXES][kept] for item, kept in pairs])
    scores = [item[SCORES][kept] if SCORES in item else np.zeros(len(kept)) for item, kept in pairs]
    return _Flat(
        boxes,
        np.repeat(np.arange(len(items)), np.diff(boxes.starts)),
        np.concatenate([np.zeros(0, np.int64), *rows]),
        np.concatenate([np.zeros(0, np.int64), *(item[LABELS][kept] for item, kept in pairs)]),
        np.concatenate([np.zeros(0), *scores]),
    )


def one_to_one(pairs: Pairs, across: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows of predictions and truths, best pair first, nobody twice.

    A pair that is the best left of both its sides is what a walk down the ranking would take, so
    all such pairs are taken at once, round by round.
    """
    order = np.lexsort((-pairs.iou, across))
    prediction, truth = pairs.prediction[order], pairs.truth[order]
    taken = [(prediction[:0], truth[:0])]
    while len(prediction):
        first = [np.unique(side, return_index=True)[1] for side in (prediction, truth)]
        best = np.intersect1d(first[0], first[1])
        taken.append((prediction[best], truth[best]))
        free = ~np.isin(prediction, prediction[best]) & ~np.isin(truth, truth[best])
        prediction, truth = prediction[free], truth[free]
    one, other = (np.concatenate(column) for column in zip(*taken, strict=True))
    return one, other
