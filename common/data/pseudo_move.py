"""Pseudo-labels on another machine: its test images lie elsewhere, its folds must be the same."""

import shutil
from pathlib import Path

import numpy as np
import pandas as pd

from common.config import Config
from common.data.files import some
from common.data.pseudo_file import check_makers, read_makers, remedy_of
from common.data.pseudo_table import FOLDS, folds_digest
from common.errors import KitError
from common.keys import FOLD, IMAGE_ID, PATH

FILE, FOLDS_FILE = "pseudo.parquet", "folds.csv"  # what is carried


def check_pseudo(config: Config, folds: list[int], folds_file: Path) -> None:
    """Raise KitError unless `data.pseudo` has labels for each of these folds as they are now.

    Args:
        folds_file: of the competition; the labels' models were trained on them.
    """
    path, remedy = Path(config.data.pseudo), remedy_of(config)
    table = read_makers(path, config)
    for fold in folds:
        check_makers(path, table, fold, remedy)
    if not folds_file.is_file() or set(table[FOLDS]) != {folds_digest(_read_folds(folds_file))}:
        raise KitError(
            f"expected pseudo-labels made for the folds of '{folds_file}' in '{path}', got those "
            f"of others; {remedy}"
        )


def leave(config: Config, folds_file: Path, folder: Path) -> None:
    """Write `data.pseudo` into a folder without the places of files here, and the folds with it."""
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.read_parquet(config.data.pseudo)
    table.assign(**{PATH: ""}).to_parquet(folder / FILE, index=False)
    shutil.copyfile(folds_file, folder / FOLDS_FILE)


def arrive(folder: Path, test: pd.DataFrame, runs: Path) -> Path:
    """Return a file of what `leave` left, with the places of the test images here.

    Args:
        folder: what was left.
        test: image_id and path.
        runs: the competition's folder of runs; gets the file and, if it has none, the folds.

    Raises:
        KitError: an image that has a label is no test image here.
    """
    table = pd.read_parquet(folder / FILE)
    places = dict(zip(test[IMAGE_ID].astype(str), test[PATH].astype(str), strict=True))
    gone = sorted(set(table[IMAGE_ID]) - set(places))
    if gone:
        raise KitError(
            f"expected the images of '{folder / FILE}' among the {len(places)} test images, "
            f"{len(gone)} are not: {some(gone)}; the test set has changed, kit pseudo and kit "
            "kernel pack make and pack labels of this one"
        )
    runs.mkdir(parents=True, exist_ok=True)
    if not (runs / FOLDS_FILE).exists():
        shutil.copyfile(folder / FOLDS_FILE, runs / FOLDS_FILE)
    file = runs / FILE
    table.assign(**{PATH: table[IMAGE_ID].map(places)}).to_parquet(file, index=False)
    return file


def _read_folds(path: Path) -> pd.DataFrame:
    """Return image_id and fold of the csv; its first line may be a comment."""
    with path.open(encoding="utf-8") as file:
        skipped = int(file.readline().startswith("# {"))
    table = pd.read_csv(path, skiprows=skipped, dtype={IMAGE_ID: str}, na_filter=False)
    return table.astype({FOLD: np.int64})
