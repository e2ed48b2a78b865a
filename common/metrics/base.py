"""What a metric is to the kit: a name, a function over a whole fold, and a direction."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np


class Metric(NamedTuple):
    """A score over everything that one evaluation gathered.

    The function takes target and prediction as the evaluation gathered them: for classification
    `(N,)` int64 classes (or `(N, C)` 0/1 for multi-label) and `(N, C)` float probabilities. It
    returns a float; NaN: the score does not exist here (a NaN prediction, a fold with one class).

    `each`, where there is one, gives `(N,)` values whose mean is the score: it spares whoever draws
    samples anew from scoring them again.
    """

    name: str
    function: Callable[[Any, Any], float]
    maximise: bool = True
    each: Callable[[Any, Any], np.ndarray] | None = None
