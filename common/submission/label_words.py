"""Several labels of an image as words in one cell of a submission."""

from collections.abc import Collection, Sequence

import numpy as np
import pandas as pd

from common.errors import did_you_mean


def join_labels(
    probabilities: pd.DataFrame, thresholds: float | Sequence[float], separator: str = " "
) -> list[str]:
    """Return a cell per image: the names of the columns that reach their threshold.

    Args:
        probabilities: `(N, C)`, a column per class.
        thresholds: one of all classes, or one of each.
    """
    names = probabilities.columns.to_numpy(dtype=str)
    there = probabilities.to_numpy() >= np.asarray(thresholds)
    return [separator.join(names[row]) for row in there]


def check_words(cell: str, names: Collection[str], separator: str = " ") -> str | None:
    """Return what is wrong with a cell: a word that is no class, or is there twice."""
    words = cell.split(separator) if cell else []
    for word in words:
        if word not in names:
            return f"'{word}' is none of the classes; {did_you_mean(word, names)}"
    return f"'{cell}' names a class twice" if len(set(words)) < len(words) else None
