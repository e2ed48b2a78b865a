"""Which classes are probably wrong, from the predictions of a model that never saw them.

Truth: `(N,)` int classes, or `(N, C)` 0/1 where images have several labels. Prediction: `(N, C)`
probabilities. A doubt is 0 where the label is sure to be right and 1 where it is sure to be wrong;
a NaN prediction says nothing and gives NaN.
"""

import numpy as np
import pandas as pd

from common.metrics.testimony import MISSING, NOTHING, SPURIOUS, WRONG_CLASS, doubt_rows


def class_testimony(index: np.ndarray, target: np.ndarray, prediction: np.ndarray) -> pd.DataFrame:
    """Return the rows of samples of one class each, those without a doubt left out."""
    suggested = likeliest_others(target, prediction)
    doubts = class_doubts(target, prediction)
    return doubt_rows(index, WRONG_CLASS, doubts, target, suggested, place=0)


def several_testimony(
    index: np.ndarray, target: np.ndarray, prediction: np.ndarray
) -> pd.DataFrame:
    """Return the rows of labels of samples that may have several."""
    given = target > 0.5
    doubts = np.where(given, 1 - prediction, prediction)
    count, classes = target.shape
    label = np.tile(np.arange(classes), count)
    there = given.ravel()
    return doubt_rows(
        np.repeat(index, classes),
        np.where(there, SPURIOUS, MISSING).astype(object),
        doubts.ravel(),
        np.where(there, label, NOTHING),
        np.where(there, NOTHING, label),
        place=label,
    )


def class_doubts(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return `(N,)` doubts: 1 - self-confidence, the probability of what is given."""
    return 1 - prediction[np.arange(len(target)), target]


def likeliest_others(target: np.ndarray, prediction: np.ndarray) -> np.ndarray:
    """Return `(N,)` the most probable class that is not the given one; NOTHING if it is alone."""
    others = np.array(prediction, np.float64)
    others[np.arange(len(target)), target] = -np.inf
    best = np.nan_to_num(others, nan=-1.0, neginf=-np.inf).argmax(1)
    return best if prediction.shape[1] > 1 else np.full(len(target), NOTHING)
