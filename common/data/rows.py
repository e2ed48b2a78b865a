"""Saying which row of a frame holds what should not be there."""

import numpy as np
import pandas as pd

from common.errors import KitError
from common.keys import IMAGE_ID


def refuse_rows(
    frame: pd.DataFrame, column: str, wrong: np.ndarray, expected: str, hint: str = ""
) -> None:
    """Raise KitError with the first of the `(N,)` bool `wrong` rows, its id and what it has."""
    if not wrong.any():
        return
    row = int(np.flatnonzero(wrong)[0])
    image_id = frame[IMAGE_ID].iloc[row] if IMAGE_ID in frame.columns else "?"
    raise KitError(
        f"expected {expected} in column '{column}' of every row, row {row} (image_id "
        f"'{image_id}') has '{frame[column].iloc[row]}' ({int(wrong.sum())} such rows); "
        f"{hint and hint + '; '}drop or mend them in competitions/<name>/data.py"
    )
