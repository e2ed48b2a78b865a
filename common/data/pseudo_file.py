"""Reading a file of pseudo-labels: whose they are comes first."""

from pathlib import Path

import numpy as np
import pandas as pd

from common.config import Config
from common.data.files import some
from common.data.pseudo_table import FOLDS, MADE_BY, SEVERAL, folds_digest
from common.errors import KitError
from common.keys import FOLD, IMAGE_ID, LABEL, PATH, PROBABILITY, WEIGHT


def read_pseudo(path: Path, frame: pd.DataFrame, fold: int, config: Config) -> pd.DataFrame:
    """Return the rows that the model of a fold made.

    Raises:
        KitError: there is no such file, or none of its labels are that model's; another model made
            them, or they were made for other folds or other classes; an image is trained on by its
            true label already; a weight or probability is none.
    """
    remedy = f"make it anew: kit pseudo {config.competition} --run EXPERIMENT"
    table = _read(path, remedy)
    rows = table[table[FOLD] == fold].reset_index(drop=True)
    _check_makers(path, table, rows, fold, remedy)
    if set(rows[FOLDS]) != {folds_digest(frame)}:
        raise KitError(
            f"expected pseudo-labels made for these folds in '{path}', its models were trained on "
            f"others, so that they may have seen what fold {fold} validates on; {remedy}"
        )
    _check_ids(path, rows, frame)
    _check_classes(path, rows, config, remedy)
    _check_numbers(path, rows, config, remedy)
    return rows


def _read(path: Path, remedy: str) -> pd.DataFrame:
    if not path.is_file():
        raise KitError(f"expected pseudo-labels in '{path}' (data.pseudo), found none; {remedy}")
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise KitError(f"expected a parquet file in '{path}', got: {error}; {remedy}") from None
    needed = (IMAGE_ID, PATH, FOLD, MADE_BY, FOLDS, WEIGHT)
    lacking = [name for name in needed if name not in table]
    if lacking:
        raise KitError(f"expected columns {some(lacking)} in '{path}', found none; {remedy}")
    return table


def _check_makers(
    path: Path, table: pd.DataFrame, rows: pd.DataFrame, fold: int, remedy: str
) -> None:
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


def label_columns(rows: pd.DataFrame) -> tuple[str, list[str]]:
    """Return the columns that hold a number per class, and their prefix; none where it is LABEL."""
    for prefix in (PROBABILITY, SEVERAL):
        found = [str(name) for name in rows if str(name).startswith(prefix)]
        if found:
            return prefix, found
    return "", []


def _check_classes(path: Path, rows: pd.DataFrame, config: Config, remedy: str) -> None:
    prefix, columns = label_columns(rows)
    if (prefix == SEVERAL) > config.multilabel or (not prefix and config.multilabel):
        kind = "any number of classes" if config.multilabel else "one class"
        raise KitError(f"expected {kind} per image in '{path}', got columns {some(rows)}; {remedy}")
    if not prefix and LABEL not in rows:
        raise KitError(
            f"expected column '{LABEL}' or {PROBABILITY}<class> in '{path}', got {some(rows)}; "
            f"{remedy}"
        )
    found = {name[len(prefix) :] for name in columns} if prefix else set(rows[LABEL])
    if found - set(config.classes) or (prefix and found != set(config.classes)):
        raise KitError(
            f"expected labels of the classes {some(config.classes)} in '{path}', got "
            f"{some(sorted(map(str, found)))}; {remedy} of these classes"
        )


def _check_numbers(path: Path, rows: pd.DataFrame, config: Config, remedy: str) -> None:
    prefix, columns = label_columns(rows)
    weights, values = rows[WEIGHT].to_numpy(float), rows[columns].to_numpy(float)
    good = np.isfinite(weights) & (weights >= 0) & ((values >= 0) & (values <= 1)).all(1)
    if prefix and not config.multilabel:
        good &= np.abs(values.sum(1) - 1) < 1e-3
    if not good.all():
        raise KitError(
            f"expected weights from 0 and probabilities in 0..1 in '{path}', those of "
            f"'{rows[IMAGE_ID].iloc[int(good.argmin())]}' are none; {remedy}"
        )
