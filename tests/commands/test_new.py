"""What kit new writes for each task: it reads the data as it lies there, and passes the linter."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.commands.scaffold.files import TEMPLATES
from common.submission.rle import encode

ROOT = Path(__file__).parents[2]
TINY = (
    "model.name=test_resnet",
    "model.weights=none",
    "data.img_size=64",
    "data.n_folds=2",
    "data.num_workers=0",
    "train.epochs=1",
    "train.batch_size=2",
    "log.loggers=local",
)
CORNER = (8, 6, 30, 26)  # x1, y1, x2, y2 of the object in every picture


def write_pictures(folder: Path, names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    left, top, right, bottom = CORNER
    for name in names:
        pixels = np.full((48, 64, 3), 40, np.uint8)
        pixels[top:bottom, left:right] = 220
        Image.fromarray(pixels).save(folder / f"{name}.png")


def mask() -> np.ndarray:
    left, top, right, bottom = CORNER
    values = np.zeros((48, 64), np.uint8)
    values[top:bottom, left:right] = 1
    return values


@pytest.fixture
def data(tmp_path) -> Path:
    """Pictures of a bright rectangle, for training and for testing."""
    folder = tmp_path / "data" / "things"
    write_pictures(folder / "train", "abcdef")
    write_pictures(folder / "test", "uv")
    return folder


def add_masks(data: Path) -> None:
    (data / "train_masks").mkdir()
    for name in "abcdef":
        Image.fromarray(mask() * 255).save(data / "train_masks" / f"{name}_mask.png")
    write_sample(data, "EncodedPixels", "1 1")


def add_codes(data: Path) -> None:
    rows = {"ImageId": [*"abcde", "a"], "EncodedPixels": [encode(mask())] * 5 + ["2900 8 2950 2"]}
    pd.DataFrame(rows).to_csv(data / "train.csv", index=False)  # f has none
    write_sample(data, "EncodedPixels", "1 1")


def add_boxes(data: Path) -> None:
    left, top, right, bottom = CORNER
    box = f"[{left}, {top}, {right - left}, {bottom - top}]"
    pd.DataFrame({"ImageId": [*"abcde"], "bbox": box}).to_csv(data / "train.csv", index=False)
    write_sample(data, "PredictionString", "0.5 0 0 9 9")


def add_labelled_boxes(data: Path) -> None:
    columns = dict(zip(("xmin", "ymin", "xmax", "ymax"), CORNER, strict=True))
    rows = {"ImageId": [*"abcdef"], **columns, "class": ["dark", "light"] * 3}
    pd.DataFrame(rows).to_csv(data / "train.csv", index=False)
    write_sample(data, "PredictionString", "dark 0.5 0 0 9 9")


def write_sample(data: Path, column: str, text: str) -> None:
    rows = {"ImageId": ["v", "u"], column: text}
    pd.DataFrame(rows).to_csv(data / "sample_submission.csv", index=False)


@pytest.mark.parametrize(
    ("task", "add"),
    [
        ("segmentation", add_masks),
        ("segmentation", add_codes),
        ("detection", add_boxes),
        ("detection", add_labelled_boxes),
    ],
)
def test_a_new_competition_goes_to_a_valid_submission_untouched(task, add, kit, data, tmp_path):
    add(data)
    for words in (
        ("new", "things", "--task", task),
        ("check", "things"),
        ("train", "things", *TINY),
        ("oof", "things"),
        ("predict", "things"),
    ):
        code, text = kit(*words)
        assert code == 0, (words, text)
    assert set(pd.read_csv("submission.csv")["ImageId"]) == {"u", "v"}
    made = tmp_path / "competitions" / "things"
    for tool in (["check"], ["format", "--check"]):
        command = [sys.executable, "-m", "ruff", *tool, "--no-cache", "--config"]
        done = subprocess.run(
            [*command, ROOT / "pyproject.toml", made], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("task", ["classification", "segmentation", "detection"])
def test_without_data_the_usual_names_are_guessed(task, kit, tmp_path):
    code, text = kit("new", "things", "--task", task)
    assert code == 0
    assert "guesses" in text
    assert "train.csv" in text or (tmp_path / "competitions" / "things" / "data.py").exists()


@pytest.mark.parametrize(
    ("task", "ours"),
    [
        ("classification", "alaska2_classification"),
        ("segmentation", "inria_segmentation"),
        ("detection", "wheat_detection"),
    ],
)
def test_training_tells_the_same_story_as_the_competition(task, ours):
    made = (TEMPLATES / task / "train.py.template").read_text()
    written = (ROOT / "competitions" / ours / "train.py").read_text()
    assert made.replace("$name", ours) == written


def test_an_unknown_task_gets_a_hint(kit):
    code, text = kit("new", "things", "--task", "segmentaton")
    assert code == 2
    assert "did you mean 'segmentation'" in text
