"""Files to frames and back: the only place that knows the competition's layout."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from common.config import Config
from common.data.box_frame import HEIGHT, WIDTH
from common.data.boxes import xywh_to_xyxy
from common.data.files import some
from common.data.frame import attach_paths, list_images, read_csv
from common.data.image import image_size
from common.errors import KitError
from common.keys import BOXES, IMAGE_ID, LABELS, PATH, SCORES
from common.submission.boxes import check_boxes, format_boxes
from common.submission.rules import SubmissionRules

CLASSES = ("wheat",)
TABLE, TRAIN, TEST, SAMPLE = "train.csv", "train", "test", "sample_submission.csv"
SIZES = (WIDTH, HEIGHT)
COLUMNS = (IMAGE_ID, *SIZES, "bbox", "source")  # of train.csv, a row per box
TARGET = "PredictionString"
NO_SOURCE = "none"  # of images without wheat, whose source is told nowhere
STRATUM = "stratum"
MAX_BINS = 4  # of the number of boxes, per source
RULES = SubmissionRules(id_column=IMAGE_ID, dtype="text", parse=check_boxes, allow_empty=True)
HOW_TO_GET = (
    "name the data folder with --data DIR or KIT_DATA, fetch it with kit download "
    "wheat_detection, or write demo data: kit demo wheat_detection"
)


def read_train(data_dir: Path, config: Config) -> pd.DataFrame:
    """Return a row per image of train/: image_id, path, its boxes and what folds need.

    An image without a row in train.csv has no wheat: it has no boxes.

    Columns:
        boxes: `(K, 4)` float32 xyxy pixels.
        labels: `(K,)` int64, all 0.
        width, height: pixels.
        source: who took the picture; "none" of images without wheat.
        stratum: source and a bin of the number of boxes, each of two images a fold or more.
    """
    _expect(data_dir / TABLE, (data_dir / TABLE).is_file())
    _expect(data_dir / TRAIN, (data_dir / TRAIN).is_dir())
    table = read_csv(data_dir / TABLE, COLUMNS)
    frame = list_images(data_dir / TRAIN, suffixes=(".jpg",))
    frame[IMAGE_ID] = frame[IMAGE_ID].str.removesuffix(".jpg")
    codes = _image_codes(table, frame)
    # Rows of an image are neighbours after a stable sort; cut where the next image begins.
    order, counts = np.argsort(codes, kind="stable"), np.bincount(codes, minlength=len(frame))
    boxes = xywh_to_xyxy(parse_bboxes(table)).astype(np.float32)[order]
    frame[BOXES] = np.fromiter(np.split(boxes, np.cumsum(counts)[:-1]), dtype=object)
    frame[LABELS] = np.fromiter((np.zeros(count, np.int64) for count in counts), dtype=object)
    frame = frame.join(_describe(table, frame))
    frame[STRATUM] = _strata(frame["source"], pd.Series(counts), config.data.n_folds)
    return frame


def read_test(data_dir: Path) -> pd.DataFrame:
    """Return image_id and path, in the sample submission's order."""
    _expect(data_dir / TEST, (data_dir / TEST).is_dir())
    frame = read_csv(sample_submission(data_dir), [IMAGE_ID])
    return attach_paths(frame[[IMAGE_ID]], data_dir / TEST)


def sample_submission(data_dir: Path) -> Path:
    """Return the file that says what a submission looks like."""
    _expect(data_dir / SAMPLE, (data_dir / SAMPLE).is_file())
    return data_dir / SAMPLE


def to_submission(
    predictions: Iterable[tuple[str, Mapping[str, Any]]], confidence: float = 0.0
) -> pd.DataFrame:
    """Turn an id and its BOXES `(K, 4)` xyxy pixels and SCORES `(K,)`, each, into two columns.

    Args:
        predictions: as `predict_boxes` gives them.
        confidence: boxes with a lower score are left out.
    """
    rows = []
    for image_id, found in predictions:
        kept = np.asarray(found[SCORES]) >= confidence
        rows.append((image_id, format_boxes(found[BOXES][kept], found[SCORES][kept])))
    return pd.DataFrame(rows, columns=[IMAGE_ID, TARGET])


def parse_bboxes(table: pd.DataFrame) -> np.ndarray:
    """Return `(N, 4)` float64 x, y, width, height of a column "bbox" of "[x, y, w, h]" texts.

    Raises:
        KitError: a text that is not four finite numbers, a negative width or height.
    """
    texts = table["bbox"].astype(str)
    parts = texts.str.strip("[] ").str.split(",", expand=True)
    numbers = parts.reindex(columns=range(4)).apply(pd.to_numeric, errors="coerce")
    values = numbers.to_numpy(dtype=np.float64)
    whole = np.isfinite(values).all(axis=1) & (texts.str.count(",") == 3).to_numpy()
    _refuse(table, ~whole, "bbox", "four numbers '[x, y, width, height]'")
    _refuse(table, (values[:, 2:] < 0).any(axis=1), "bbox", "a width and height of at least 0")
    return values


def _image_codes(table: pd.DataFrame, frame: pd.DataFrame) -> np.ndarray:
    """Return `(N,)` positions in the frame of the image of each row of the table."""
    codes = pd.Index(frame[IMAGE_ID]).get_indexer(table[IMAGE_ID])
    missing = table.loc[codes < 0, IMAGE_ID].unique()
    if len(missing):
        raise KitError(
            f"expected a file '{TRAIN}/<image_id>.jpg' for every image of {TABLE}, {len(missing)} "
            f"have none: {some(missing)}; complete the folder or drop their rows"
        )
    return codes


def _describe(table: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Return width, height and source of each image; one without a row is asked for its size."""
    for column in SIZES:
        numbers = pd.to_numeric(table[column], errors="coerce")
        _refuse(table, ~(numbers > 0).to_numpy(), column, "pixels, a positive number")
    _refuse(table, table["source"].isna().to_numpy(), "source", "a name")
    first = table.drop_duplicates(IMAGE_ID).set_index(IMAGE_ID)[[*SIZES, "source"]]
    found = first.reindex(frame[IMAGE_ID]).reset_index(drop=True)
    bare = found["source"].isna()
    sizes = [image_size(path)[::-1] for path in frame.loc[bare, PATH]]
    found.loc[bare, list(SIZES)] = np.array(sizes, dtype=np.float64).reshape(-1, 2)
    return found.fillna({"source": NO_SOURCE}).astype(dict.fromkeys(SIZES, np.int64))


def _strata(source: pd.Series, counts: pd.Series, n_folds: int) -> pd.Series:
    """Return the source and a bin of the count within it, as many bins as the folds can share."""
    rank = counts.groupby(source).rank(method="average") - 1
    size = counts.groupby(source).transform("size")
    bins = (size // (2 * n_folds)).clip(1, MAX_BINS)
    return source + " " + (rank * bins // size).astype(int).astype(str)


def _refuse(table: pd.DataFrame, wrong: np.ndarray, column: str, expected: str) -> None:
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise KitError(
            f"expected in column '{column}' of {TABLE} {expected}, line {row + 2} (image_id "
            f"'{table[IMAGE_ID].iloc[row]}') has {table[column].iloc[row]!r} "
            f"({int(wrong.sum())} such rows); mend or drop them"
        )


def _expect(path: Path, there: bool) -> None:
    if not there:
        kind = "file" if path.suffix else "folder"
        raise KitError(f"expected the {kind} '{path}', found none; {HOW_TO_GET}")
