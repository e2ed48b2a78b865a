"""Tables and pictures with something wrong: told in a line, never trained on silently."""

import shutil

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from .conftest import FAST
from .experiments import replace


def spoil_csv(data, change):
    frame = pd.read_csv(data / "train.csv")
    change(frame).to_csv(data / "train.csv", index=False)


BAD_DATA = {
    "a row without a file": (
        lambda data: (data / "train" / pd.read_csv(data / "train.csv").image[3]).unlink(),
        "1 of 24 rows have none: '",
    ),
    "no csv": (lambda data: (data / "train.csv").unlink(), "train.csv"),
    "no images": (lambda data: shutil.rmtree(data / "train"), "train"),
    "a missing column": (
        lambda data: spoil_csv(data, lambda f: f.rename(columns={"colour": "color"})),
        "colour",
    ),
    "a NaN label": (
        lambda data: spoil_csv(data, lambda f: f.assign(colour=f.colour.where(f.index != 2))),
        "row 2 (image_id '",
    ),
    "an unknown label": (
        lambda data: spoil_csv(data, lambda f: f.assign(colour=f.colour.replace("red", "rde"))),
        "did you mean 'red'?",
    ),
    "an unreadable image": (
        lambda data: replace(data / "train" / pd.read_csv(data / "train.csv").image[0], b"text"),
        "expected an image at",
    ),
    "an empty image": (
        lambda data: replace(data / "train" / pd.read_csv(data / "train.csv").image[0], b""),
        "0 bytes",
    ),
}


@pytest.mark.parametrize("what", BAD_DATA)
def test_bad_data_never_trains_silently(project, data, what):
    spoil, telling = BAD_DATA[what]
    spoil(data)
    code, text = project("train", "colours", *FAST)
    assert code == 2, text
    assert telling in text
    assert "Traceback" not in text


def test_files_without_a_row_are_counted(project, data):
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save(data / "train" / "stray.jpg")
    code, text = project("check", "colours", "--no-model")
    assert code == 0
    assert "warning" in text
    assert "stray.jpg" in text


def test_a_class_that_a_fold_lacks_is_named(project, data):
    spoil_csv(data, lambda f: f.assign(colour=["red"] * 2 + ["blue", "green"] * 11))
    with pytest.warns(UserWarning, match="red"):
        code, text = project("folds", "colours")
    assert code == 0, text
    assert "folds.csv: fold 0: " in text
