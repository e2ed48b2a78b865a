"""Several labels of an image as words in one cell of a csv."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from common.data.files import FIX
from common.errors import KitError, did_you_mean
from common.keys import IMAGE_ID


def words_of(cell: str, separator: str) -> list[str]:
    """Return the labels of a cell."""
    return [word.strip() for word in cell.split(separator) if word.strip()]


def split_labels(
    frame: pd.DataFrame, column: str, classes: Sequence[str], separator: str = " "
) -> pd.DataFrame:
    """Return the frame with a float32 column of 0 and 1 per class; an empty cell has no label.

    Raises:
        KitError: a word that is none of the classes.
    """
    places = {name: number for number, name in enumerate(classes)}
    found = np.zeros((len(frame), len(classes)), np.float32)
    for row, cell in enumerate(frame[column].fillna("").astype(str)):
        for word in words_of(cell, separator):
            if word not in places:
                raise KitError(
                    f"expected labels of the classes in column '{column}', row {row} (image_id "
                    f"'{frame[IMAGE_ID].iloc[row]}') has '{word}'; {did_you_mean(word, places)}; "
                    f"{FIX}"
                )
            found[row, places[word]] = 1
    return frame.assign(**{name: found[:, number] for name, number in places.items()})
