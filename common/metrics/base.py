"""What a metric is to the kit: a name, a function over a whole fold, and a direction."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np


class Metric(NamedTuple):
    """A score over everything that one evaluation gathered.

    The function takes target and prediction as the evaluation gathered them: for classification
    `(N,)` int64 classes (or `(N, C)` 0/1 for multi-label) and `(N, C)` float probabilities. It
    returns a float; NaN: the score does not exist here (a NaN prediction, a fold with one class).
    """

    name: str
    function: Callable[[np.ndarray, np.ndarray], float]
    maximise: bool = True
