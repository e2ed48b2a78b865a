"""Files to frames and back: the only place that knows the competition's layout."""

from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, UnidentifiedImageError

from common.config import Config
from common.data.frame import attach_paths, check_labels, list_images, read_csv
from common.data.stored import open_stored
from common.errors import KitError
from common.keys import IMAGE_ID, LABEL, PATH
from common.submission.rules import SubmissionRules
from competitions.alaska2_classification.metric import stego_score

CLASSES = ("Cover", "JMiPOD", "JUNIWARD", "UERD")  # folders of the training images
COVER, STEGO = CLASSES[0], "Stego"  # Stego: the three others as one class
QUALITIES = (95, 90, 75)  # JPEG quality factors that occur
TEST, SAMPLE = "Test", "sample_submission.csv"
ID, TARGET = "Id", "Label"  # columns of the submission
RULES = SubmissionRules(id_column=ID, dtype="real")  # any real number, higher = stego
HOW_TO_GET = (
    "name the data folder with --data DIR or KIT_DATA, fetch it with kit download "
    "alaska2_classification, or write demo data: kit demo alaska2_classification"
)


def read_train(data_dir: Path, config: Config) -> pd.DataFrame:
    """Return a row per image: image_id ("Cover/00001.jpg"), path, label and what folds need.

    Columns:
        label: index into `config.classes`, which are `CLASSES`, or Cover and Stego.
        method: the folder, whatever the classes are.
        group: base name, which a cover and its stego versions share.
        quality: JPEG quality factor of the cover.
    """
    frames = []
    for method in CLASSES:
        _expect(data_dir / method, (data_dir / method).is_dir())
        frame = list_images(data_dir / method)
        group, image_id = frame[IMAGE_ID], method + "/" + frame[IMAGE_ID]
        frames.append(frame.assign(**{IMAGE_ID: image_id}, group=group, method=method))
    frame = pd.concat(frames, ignore_index=True)
    frame[LABEL] = frame["method"].where(frame["method"].isin(config.classes), STEGO)
    # One header per group: a stego version has the tables of its cover.
    first = frame.drop_duplicates("group").set_index("group")[PATH]
    frame["quality"] = frame["group"].map(first.map(jpeg_quality))
    return check_labels(frame, config.classes)


def read_test(data_dir: Path) -> pd.DataFrame:
    """Return image_id ("0001.jpg") and path, in the sample submission's order."""
    _expect(data_dir / TEST, (data_dir / TEST).is_dir())
    frame = read_csv(sample_submission(data_dir), [ID]).rename(columns={ID: IMAGE_ID})
    return attach_paths(frame[[IMAGE_ID]], data_dir / TEST, missing="warn")


def sample_submission(data_dir: Path) -> Path:
    """Return the file that says what a submission looks like."""
    _expect(data_dir / SAMPLE, (data_dir / SAMPLE).is_file())
    return data_dir / SAMPLE


def to_submission(predictions: pd.DataFrame) -> pd.DataFrame:
    """Turn image_id and a probability per class, cover first, into the submission's columns."""
    probs = predictions.drop(columns=IMAGE_ID).to_numpy(dtype=np.float64)
    return pd.DataFrame({ID: predictions[IMAGE_ID], TARGET: stego_score(probs)})


def jpeg_quality(path: Path | str) -> int:
    """Return the quality factor 1..100 whose standard luminance table is nearest; header only."""
    try:
        with Image.open(open_stored(path)) as image:
            tables = getattr(image, "quantization", None)
    except (OSError, UnidentifiedImageError) as error:
        raise KitError(f"expected a JPEG in '{path}', got: {error}; fetch it again") from None
    if not tables:
        raise KitError(f"expected a JPEG in '{path}', got another format; fetch it again")
    return int(np.abs(_tables() - np.array(tables[0])).sum(1).argmin()) + 1


def _expect(path: Path, there: bool) -> None:
    if not there:
        kind = "file" if path.suffix else "folder"
        raise KitError(f"expected the {kind} '{path}', found none; {HOW_TO_GET}")


@cache
def _tables() -> np.ndarray:
    """Return the luminance tables that Pillow writes for quality 1..100, `(100, 64)`."""
    tables = []
    for quality in range(1, 101):
        buffer = BytesIO()
        Image.new("L", (8, 8)).save(buffer, "JPEG", quality=quality)
        with Image.open(buffer) as image:
            tables.append(image.quantization[0])
    return np.array(tables)
