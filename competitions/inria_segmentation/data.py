"""Files to frames and back: the only place that knows the competition's layout."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from common.config import Config
from common.data.files import find_files, some
from common.data.sizes import image_sizes
from common.errors import KitError
from common.keys import FOLD, GROUP, IMAGE_ID, MASK, PATH
from common.submission.masks import check_mask_zip
from common.submission.rules import Finding

CLASSES = ("building",)
CITY, NUMBER = "city", "number"  # columns
TOP = "AerialImageDataset"  # folder in which the archive keeps the others
IMAGES, MASKS, TEST = Path("train/images"), Path("train/gt"), Path("test/images")
SUFFIX = ".tif"
NAME = re.compile(r"(?P<city>[a-z]+(-[a-z]+)*)(?P<number>[1-9]\d?)\.tif")
VALIDATION, LAST = 5, 36  # images 1-5 of every city validate, 6-36 train
SUBMISSION = "submission.zip"  # of a mask per test image, under its name
HOW_TO_GET = (
    "name the data folder with --data DIR or KIT_DATA, fetch it from "
    "project.inria.fr/aerialimagelabeling, or write demo data: kit demo inria_segmentation"
)


def read_train(data_dir: Path, config: Config) -> pd.DataFrame:
    """Return a row per image, by city and number, with the official split as its folds.

    Columns:
        image_id: name of the file, "austin1.tif".
        path, mask: the image, and the file of 0 and 255 that tells its buildings.
        city, number: what the name says.
        group: code of the city, for scores per city.
        fold: 0 for images 1-5 of every city; see `official_folds`.
    """
    images, masks = _list(data_dir, IMAGES), _list(data_dir, MASKS)
    _expect_pairs(images, masks)
    frame = _parse(images)
    frame[MASK] = [str(masks[name]) for name in frame[IMAGE_ID]]
    frame[GROUP] = pd.factorize(frame[CITY], sort=True)[0].astype(np.int64)
    frame[FOLD] = official_folds(frame[NUMBER].to_numpy(), config.data.n_folds)
    return frame


def read_test(data_dir: Path) -> pd.DataFrame:
    """Return image_id ("tyrol-e1.tif") and path, by city and number."""
    return _parse(_list(data_dir, TEST))[[IMAGE_ID, PATH]]


def check_submission(file: Path, data_dir: Path) -> list[Finding]:
    """Return all that is wrong with a zip of masks; an empty list means valid."""
    return check_mask_zip(file, image_sizes(read_test(data_dir)))


def hidden_ids(ids: Sequence[str], count: int) -> list[str]:
    """Return names of cities that are not among `ids`, for a rehearsal's hidden test set."""
    cities = dict.fromkeys(match[CITY] for name in ids if (match := _numbered(name)))
    new = [f"{city}-{'new-' * again}hidden" for again in range(count) for city in cities]
    pairs = [(city, number) for city in new for number in range(1, LAST + 1)]
    return [f"{city}{number}{SUFFIX}" for city, number in pairs[:count]]


def official_folds(numbers: np.ndarray, n_folds: int) -> np.ndarray:
    """Return the fold that validates on each image, `(N,)` int64.

    Fold 0 is the official split: numbers 1-5 validate, 6-36 train. The other folds cut 6-36 into
    `n_folds` - 1 runs of consecutive numbers, equally long up to one.
    """
    later = (numbers - VALIDATION - 1) * (n_folds - 1) // (LAST - VALIDATION) + 1
    return np.where(numbers <= VALIDATION, 0, later).astype(np.int64)


def _list(data_dir: Path, part: Path) -> dict[str, Path]:
    """Return the files of a folder by name; it may lie in the archive's top folder."""
    inside = data_dir / TOP / part
    folder = inside if inside.is_dir() else data_dir / part
    if not folder.is_dir():
        raise KitError(f"expected the folder '{folder}', found none; {HOW_TO_GET}")
    files = find_files(folder, [SUFFIX])
    if not files:
        raise KitError(f"expected {SUFFIX} files in '{folder}', found none; {HOW_TO_GET}")
    strange = [name for name in files if _numbered(name) is None]
    if strange:
        raise KitError(
            f"expected names <city><1..{LAST}>{SUFFIX}, such as tyrol-w12.tif, in '{folder}', "
            f"found {some(strange)}; rename or remove them"
        )
    return files


def _numbered(name: str) -> re.Match[str] | None:
    match = NAME.fullmatch(name)
    return match if match and int(match["number"]) <= LAST else None


def _expect_pairs(images: Mapping[str, Path], masks: Mapping[str, Path]) -> None:
    for have, lack, want in ((images, masks, MASKS), (masks, images, IMAGES)):
        alone = [name for name in have if name not in lack]
        if alone:
            raise KitError(
                f"expected a file in {want.as_posix()} for each of the other folder, {len(alone)} "
                f"of {len(have)} have none: {some(alone)}; complete the folder or remove these"
            )


def _parse(files: Mapping[str, Path]) -> pd.DataFrame:
    matches = [match for name in files if (match := _numbered(name))]
    frame = pd.DataFrame({IMAGE_ID: list(files), PATH: list(map(str, files.values()))})
    frame[CITY] = [match["city"] for match in matches]
    frame[NUMBER] = [int(match["number"]) for match in matches]
    return frame.sort_values([CITY, NUMBER], ignore_index=True)
