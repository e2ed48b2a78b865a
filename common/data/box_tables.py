"""From a csv with a row per box to a frame with a row per image."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from common.data.files import FIX, some
from common.errors import KitError
from common.keys import BOXES, IMAGE_ID, LABELS


def attach_boxes(
    frame: pd.DataFrame, table: pd.DataFrame, boxes: np.ndarray, labels: np.ndarray | None = None
) -> pd.DataFrame:
    """Return the frame with columns boxes and labels; an image without a row has no boxes.

    Args:
        frame: image_id, one row per image.
        table: image_id, M rows.
        boxes: `(M, 4)` xyxy pixels of the files.
        labels: `(M,)` int classes; None: all of class 0.

    Raises:
        KitError: a row's image is not in the frame.
    """
    codes = pd.Index(frame[IMAGE_ID]).get_indexer(table[IMAGE_ID])
    missing = table.loc[codes < 0, IMAGE_ID].unique()
    if len(missing):
        raise KitError(
            f"expected an image for every row of boxes, {len(missing)} images have none: "
            f"{some(missing)}; complete the folder or drop their rows"
        )
    # Rows of an image are neighbours after a stable sort; cut where the next image begins.
    order, counts = np.argsort(codes, kind="stable"), np.bincount(codes, minlength=len(frame))
    labels = np.zeros(len(table), np.int64) if labels is None else np.asarray(labels, np.int64)
    columns = {BOXES: np.asarray(boxes, np.float32)[order], LABELS: labels[order]}
    cuts = np.cumsum(counts)[:-1]
    return frame.assign(
        **{key: np.fromiter(np.split(rows, cuts), dtype=object) for key, rows in columns.items()}
    )


def parse_bboxes(table: pd.DataFrame, column: str = "bbox") -> np.ndarray:
    """Return `(M, 4)` float64 x, y, width, height of a column of "[x, y, w, h]" texts.

    Raises:
        KitError: a text that is not four finite numbers, a negative width or height.
    """
    texts = table[column].astype(str)
    parts = texts.str.strip("[]() ").str.split(",", expand=True)
    numbers = parts.reindex(columns=range(4)).apply(pd.to_numeric, errors="coerce")
    values = numbers.to_numpy(dtype=np.float64)
    whole = np.isfinite(values).all(axis=1) & (texts.str.count(",") == 3).to_numpy()
    refuse_rows(table, ~whole, [column], "four numbers '[x, y, width, height]'")
    negative = (values[:, 2:] < 0).any(axis=1)
    refuse_rows(table, negative, [column], "a width and height of at least 0")
    return values


def number_columns(table: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Return `(M, len(columns))` float64, or name the row that holds something else."""
    numbers = table[list(columns)].apply(pd.to_numeric, errors="coerce").to_numpy(np.float64)
    refuse_rows(table, ~np.isfinite(numbers).all(axis=1), columns, "numbers")
    return numbers


def refuse_rows(
    table: pd.DataFrame, wrong: np.ndarray, columns: Sequence[str], expected: str
) -> None:
    """Raise KitError that names the first of the wrong rows, if there is one."""
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        image_id = table[IMAGE_ID].iloc[row] if IMAGE_ID in table.columns else "?"
        raise KitError(
            f"expected {expected} in {some(columns)}, line {row + 2} (image_id '{image_id}') has "
            f"{table[list(columns)].iloc[row].tolist()} ({int(wrong.sum())} such rows); {FIX}"
        )
