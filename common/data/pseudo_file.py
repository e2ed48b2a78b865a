"""Reading a file of pseudo-labels: whose they are comes first."""

from pathlib import Path

import pandas as pd
import pyarrow.parquet

from common.config import Config
from common.data.files import some
from common.data.pseudo_check import check_labels
from common.data.pseudo_table import FOLDS, MADE_BY, TEST_IDS, folds_digest
from common.data.stored import is_stored
from common.errors import KitError
from common.keys import FOLD, IMAGE_ID, PATH, WEIGHT

NEEDED = (IMAGE_ID, PATH, FOLD, MADE_BY, FOLDS, WEIGHT)


def read_pseudo(path: Path, frame: pd.DataFrame, fold: int, config: Config) -> pd.DataFrame:
    """Return the rows that the model of a fold made.

    Raises:
        KitError: there is no such file, or none of its labels are that model's; another model made
            them, or they were made for other folds, other classes or another task; an image is
            trained on by its true label already; a weight, probability or box is none.
    """
    remedy = remedy_of(config)
    check_makers(path, read_makers(path, config), fold, remedy)
    rows = pd.read_parquet(path, filters=[(FOLD, "=", fold)]).reset_index(drop=True)
    if set(rows[FOLDS]) != {folds_digest(frame)}:
        raise KitError(
            f"expected pseudo-labels made for these folds in '{path}', its models were trained on "
            f"others, so that they may have seen what fold {fold} validates on; {remedy}"
        )
    _check_ids(path, rows, frame)
    check_labels(path, rows, config, remedy)
    return rows


def read_makers(path: Path, config: Config) -> pd.DataFrame:
    """Return the columns that every file has, of all folds.

    Raises:
        KitError: there is no such file, or it is another.
    """
    remedy = remedy_of(config)
    if not path.is_file():
        raise KitError(f"expected pseudo-labels in '{path}' (data.pseudo), found none; {remedy}")
    try:
        names = pyarrow.parquet.read_schema(path).names
    except (OSError, ValueError) as error:
        raise KitError(f"expected a parquet file in '{path}', got: {error}; {remedy}") from None
    lacking = [name for name in NEEDED if name not in names]
    if lacking:
        raise KitError(f"expected columns {some(lacking)} in '{path}', found none; {remedy}")
    return pd.read_parquet(path, columns=list(NEEDED))


def check_test(path: Path, test: pd.DataFrame, config: Config) -> str:
    """Compare a file with the test set as it is now; return what it lacks, or nothing.

    Args:
        test: image_id and path.

    Returns:
        A warning of images that are new since the file was made, and have no label for that.

    Raises:
        KitError: an image that has a label is no test image any more, or its file is gone.
    """
    table, remedy = read_makers(path, config), remedy_of(config)
    now = set(test[IMAGE_ID].astype(str))
    gone = sorted(set(table[IMAGE_ID]) - now)
    if gone:
        raise KitError(
            f"expected the images of '{path}' among the {len(now)} test images, {len(gone)} of "
            f"{table[IMAGE_ID].nunique()} are not: {some(gone)}; the test set has changed, {remedy}"
        )
    lost = [place for place in table[PATH].unique() if not is_stored(place)]
    if lost:
        raise KitError(
            f"expected the images of '{path}' where they were, {len(lost)} files are gone: "
            f"{some(lost)}; the data has moved, {remedy}"
        )
    new = sorted(now - set(table.attrs.get(TEST_IDS, now)))
    if not new:
        return ""
    return (
        f"{len(new)} of {len(now)} test images are new since '{path}' was made and have no "
        f"pseudo-label: {some(new)}; {remedy}"
    )


def remedy_of(config: Config) -> str:
    """Return what makes a file anew."""
    return f"make it anew: kit pseudo {config.competition} --run EXPERIMENT"


def check_makers(path: Path, table: pd.DataFrame, fold: int, remedy: str) -> None:
    """Raise KitError unless a file has labels for a fold, and all of them are by its own model."""
    rows = table[table[FOLD] == fold]
    if rows.empty:
        raise KitError(
            f"expected pseudo-labels by the model of fold {fold} in '{path}', got those of folds "
            f"{sorted(set(table[FOLD].tolist()))}, which saw what fold {fold} validates on; "
            f"{remedy}"
        )
    others = rows.loc[~rows[MADE_BY].astype(str).str.endswith(f"/fold{fold}"), MADE_BY]
    if len(others):
        raise KitError(
            f"expected pseudo-labels by the model of fold {fold} in '{path}', {len(others)} of "
            f"them are by {some(others.unique())}, which saw what it validates on; {remedy}"
        )


def _check_ids(path: Path, rows: pd.DataFrame, frame: pd.DataFrame) -> None:
    known = rows.loc[rows[IMAGE_ID].isin(frame[IMAGE_ID].astype(str)), IMAGE_ID]
    twice = rows.loc[rows[IMAGE_ID].duplicated(), IMAGE_ID]
    for found, what in ((known, "have a true label"), (twice, "come twice")):
        if len(found):
            raise KitError(
                f"expected images without a label in '{path}', {len(found)} {what}: {some(found)}; "
                "drop these rows, or name test images otherwise in competitions/<name>/data.py"
            )
