"""Ways to make one prediction of several members': each a sum over members, so that none is kept.

A prediction is `(N, C)` probabilities. `Way.part` is made of each member's, weighted and summed;
`Way.finish` makes probabilities of the sum. What the sum lacks, because there was no time for a
member, is made up for by dividing by the weights that are in it.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

TINY = 1e-7

Turn = Callable[[np.ndarray], np.ndarray]


class Way(NamedTuple):
    """What is summed of a member's prediction, and what the sum is turned into."""

    part: Turn
    finish: Turn


def way_of(how: str, multilabel: bool, exponent: float = 1.0) -> Way:
    """Return a way by its name: mean, rank (of members that are ranks), geometric or power.

    A geometric mean is pulled down by a single doubt; a power mean above 1 counts the sure members
    for more. Their rows are made to add up to 1 again where a sample has one class.
    """
    closed = partial(normalised, multilabel=multilabel)
    if how == "geometric":
        return Way(_log, lambda total: closed(np.exp(total)))
    if how == "power":
        return Way(lambda p: p**exponent, lambda total: closed(total ** (1 / exponent)))
    return Way(_same, _same)


def combine(way: Way, predictions: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the `(N, C)` prediction of `(M, N, C)` and `(M,)` weights that add up to 1."""
    return way.finish(np.tensordot(weights, way.part(predictions), 1))


def normalised(prediction: np.ndarray, multilabel: bool) -> np.ndarray:
    """Return probabilities whose rows add up to 1 where a sample has one class."""
    if multilabel:
        return prediction
    return prediction / np.maximum(prediction.sum(1, keepdims=True), TINY)


def ranks_among(prediction: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return `(N, C)` mean ranks, between 0 and 1, of values among `(K, C)` ascending known ones.

    A value that is one of them gets the very rank that it has there.
    """
    found = np.empty(prediction.shape, np.float64)
    for place, column in enumerate(known.T):
        values = prediction[:, place]
        below, upto = (np.searchsorted(column, values, side) for side in ("left", "right"))
        found[:, place] = (below + upto + 1) / 2 / (len(known) + 1)
    return found


def log_odds(prediction: np.ndarray) -> np.ndarray:
    """Return the logits of probabilities, finite ones of 0 and 1 too."""
    clipped = np.clip(prediction, TINY, 1 - TINY)
    return np.log(clipped / (1 - clipped))


def _log(prediction: np.ndarray) -> np.ndarray:
    return np.log(np.clip(prediction, TINY, 1))


def _same(values: np.ndarray) -> np.ndarray:
    return values
