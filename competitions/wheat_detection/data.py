"""Files to frames and back: the only place that knows the competition's layout."""

from pathlib import Path

import numpy as np
import pandas as pd

from common.config import Config
from common.data.box_frame import HEIGHT, WIDTH
from common.data.box_tables import attach_boxes, parse_bboxes, refuse_rows
from common.data.boxes import xywh_to_xyxy
from common.data.frame import attach_paths, list_images, read_csv
from common.data.image import image_size
from common.errors import KitError
from common.keys import BOXES, IMAGE_ID, PATH
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
    frame = list_images(data_dir / TRAIN, suffixes=(".jpg",), stems=True)
    frame = attach_boxes(frame, table, xywh_to_xyxy(parse_bboxes(table, "bbox")))
    frame = frame.join(_describe(table, frame))
    frame[STRATUM] = _strata(frame["source"], frame[BOXES].map(len), config.data.n_folds)
    return frame


def read_test(data_dir: Path) -> pd.DataFrame:
    """Return image_id and path, in the sample submission's order."""
    _expect(data_dir / TEST, (data_dir / TEST).is_dir())
    frame = read_csv(sample_submission(data_dir), [IMAGE_ID])
    return attach_paths(frame[[IMAGE_ID]], data_dir / TEST, missing="warn")


def sample_submission(data_dir: Path) -> Path:
    """Return the file that says what a submission looks like."""
    _expect(data_dir / SAMPLE, (data_dir / SAMPLE).is_file())
    return data_dir / SAMPLE


def to_submission(predictions: pd.DataFrame) -> pd.DataFrame:
    """Turn image_id, boxes `(K, 4)` xyxy pixels of the file and scores `(K,)` into its columns."""
    cells = [format_boxes(row.boxes, row.scores) for row in predictions.itertuples()]
    return pd.DataFrame({IMAGE_ID: predictions[IMAGE_ID], TARGET: cells})


def _describe(table: pd.DataFrame, frame: pd.DataFrame) -> pd.DataFrame:
    """Return width, height and source of each image; one without a row is asked for its size."""
    for column in SIZES:
        numbers = pd.to_numeric(table[column], errors="coerce")
        refuse_rows(table, ~(numbers > 0).to_numpy(), [column], "pixels, a positive number")
    refuse_rows(table, table["source"].isna().to_numpy(), ["source"], "a name")
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


def _expect(path: Path, there: bool) -> None:
    if not there:
        kind = "file" if path.suffix else "folder"
        raise KitError(f"expected the {kind} '{path}', found none; {HOW_TO_GET}")
