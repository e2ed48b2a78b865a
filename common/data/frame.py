"""The frame: a row per image, with `image_id` (text, unique), `path` and what targets there are."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from common.data.files import FIX, check_file, find_files, some
from common.data.rows import refuse_rows
from common.errors import KitError, did_you_mean
from common.keys import IMAGE_ID, LABEL, PATH

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp")
UNLISTED = "unlisted_files"  # key in frame.attrs


def read_csv(path: Path, required: Sequence[str], sep: str = ",") -> pd.DataFrame:
    """Read a csv that has at least the `required` columns.

    The first of them is taken for the id: it is read as text, so that '00001' stays '00001'.

    Raises:
        KitError: no such folder or file, no rows, a column missing, an empty id.
    """
    check_file(path)
    try:
        frame = pd.read_csv(path, sep=sep, dtype=dict.fromkeys(required[:1], str))
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise KitError(f"expected a csv in '{path}', got: {error}; {FIX}") from None
    found = list(map(str, frame.columns))
    for column in required:
        if column not in found:
            hint = did_you_mean(column, found) if found else "it has no columns"
            separator = "; is its separator another than ','?" if len(found) == 1 else ""
            raise KitError(
                f"expected column '{column}' in '{path}', found {found}; {hint}{separator}; {FIX}"
            )
    if required and frame[required[0]].isna().any():
        row = int(np.flatnonzero(frame[required[0]].isna())[0])
        raise KitError(f"expected an id in every row of '{path}', row {row} has none; {FIX}")
    return frame


def check_ids(frame: pd.DataFrame) -> None:
    """Raise KitError unless the frame has rows and its ids are there and unique."""
    if IMAGE_ID not in frame.columns:
        raise KitError(f"expected column '{IMAGE_ID}', found {list(frame.columns)}; {FIX}")
    if frame.empty:
        raise KitError(f"expected at least one row, got an empty frame; {FIX}")
    twice = frame.loc[frame[IMAGE_ID].duplicated(), IMAGE_ID].unique()
    if len(twice):
        raise KitError(f"expected unique ids, found {some(twice)} more than once; {FIX}")


def attach_paths(
    frame: pd.DataFrame,
    folder: Path,
    id_column: str = IMAGE_ID,
    suffixes: Sequence[str] = SUFFIXES,
    missing: Literal["raise", "warn"] = "raise",
) -> pd.DataFrame:
    """Return the frame with `image_id` as text and `path`, the file of each row in `folder`.

    An id is the file's name with or without its suffix; with a '/' it also names the subfolder.
    Files without a row are warned of and listed in `frame.attrs["unlisted_files"]`.

    Args:
        missing: "warn" gives a row without a file the path where it was expected, for a test set
            that has to be predicted all the same; that all files are missing stays an error.

    Raises:
        KitError: duplicate ids, rows without a file, two files for one row.
    """
    ids = frame[id_column].astype(str)
    frame = frame.assign(**{IMAGE_ID: ids})
    check_ids(frame)
    files = find_files(folder, suffixes, deep=bool(ids.str.contains("/").any()))
    by_id: dict[str, list[str]] = {}
    for name in files:
        by_id.setdefault(name.rpartition(".")[0], []).append(name)
    names = [[name] if name in files else by_id.get(name, []) for name in ids]
    lost = [image_id for image_id, found in zip(ids, names, strict=True) if not found]
    if lost:
        told = (
            f"expected a file in '{folder}' for every row, {len(lost)} of {len(frame)} rows "
            f"have none: {some(lost)}; complete the folder or drop these rows in "
            "competitions/<name>/data.py"
        )
        if missing == "raise" or len(lost) == len(frame):
            raise KitError(told)
        warnings.warn(told, stacklevel=2)
    for found in names:
        if len(found) > 1:
            raise KitError(
                f"expected one file per row in '{folder}', found {sorted(found)}; "
                "say which by suffixes= in competitions/<name>/data.py"
            )
    chosen = [found[0] if found else name for name, found in zip(ids, names, strict=True)]
    frame[PATH] = [str(files.get(name, folder / name)) for name in chosen]
    _warn_unlisted(frame, sorted(files.keys() - set(chosen)), folder)
    return frame


def list_images(
    folder: Path, suffixes: Sequence[str] = SUFFIXES, stems: bool = False
) -> pd.DataFrame:
    """Return `image_id` (the file's name, or its stem) and `path` of every image, sorted."""
    files = find_files(folder, suffixes)
    if not files:
        raise KitError(f"expected images ({' '.join(suffixes)}) in '{folder}', found none; {FIX}")
    ids = [path.stem if stems else name for name, path in files.items()]
    frame = pd.DataFrame({IMAGE_ID: ids, PATH: list(map(str, files.values()))})
    check_ids(frame)
    return frame


def list_class_folders(folder: Path, suffixes: Sequence[str] = SUFFIXES) -> pd.DataFrame:
    """Return `image_id` ("class/file"), `path` and `label` (the subfolder)."""
    files = find_files(folder, suffixes, deep=True)
    labels = [name.rpartition("/")[0] for name in files]
    if not any(labels):
        raise KitError(f"expected a subfolder with images per class in '{folder}', found none")
    frame = pd.DataFrame(
        {IMAGE_ID: list(files), PATH: list(map(str, files.values())), LABEL: labels}
    )
    loose = frame[LABEL] == ""
    frame, stray = frame[~loose].reset_index(drop=True), frame.loc[loose, IMAGE_ID].tolist()
    _warn_unlisted(frame, stray, folder)
    return frame


def check_labels(
    frame: pd.DataFrame, classes: Sequence[str | int], column: str = LABEL
) -> pd.DataFrame:
    """Return the frame with `column` as int64 positions in `classes`.

    Names are compared as text, so that 3, 3.0 and "3" are one class.

    Raises:
        KitError: the column is missing, a label is NaN or not one of the classes.
    """
    _check_column(frame, column)
    numbers = {str(name): number for number, name in enumerate(classes)}
    codes, values = pd.factorize(frame[column])
    refuse_rows(frame, column, codes < 0, "a class")
    names = [_text(value) for value in values]
    for code in (code for code, name in enumerate(names) if name not in numbers):
        hint = did_you_mean(names[code], numbers)[:300]
        refuse_rows(frame, column, codes == code, "a class", hint)
    positions = np.array([numbers[name] for name in names], dtype=np.int64)
    return frame.assign(**{column: positions[codes]})


def check_multilabel(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the frame with `columns` as float32 zeros and ones.

    Raises:
        KitError: a column is missing, or holds anything but 0 and 1.
    """
    for column in columns:
        _check_column(frame, column)
        values = pd.to_numeric(frame[column], errors="coerce")
        refuse_rows(frame, column, ~values.isin((0, 1)).to_numpy(), "0 or 1")
        frame = frame.assign(**{column: values.to_numpy(dtype=np.float32)})
    return frame


def _warn_unlisted(frame: pd.DataFrame, names: list[str], folder: Path) -> None:
    frame.attrs[UNLISTED] = names
    if names:
        warnings.warn(
            f"{len(names)} image files in '{folder}' have no row: {some(names)}", stacklevel=3
        )


def _check_column(frame: pd.DataFrame, column: str) -> None:
    if column not in frame.columns:
        hint = did_you_mean(column, map(str, frame.columns))
        raise KitError(f"expected label column '{column}'; {hint}; {FIX}")


def _text(value: object) -> str:
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)
