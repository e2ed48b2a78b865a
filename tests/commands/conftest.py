"""A project of one's own: data on disk, a competition made by `kit new`, a place for runs."""

from pathlib import Path

import pandas as pd
import pytest

from common.data.folds import make_folds

from .experiments import settings, write_folds
from .things import write_pictures

COLOURS = ("blue", "green", "red")
FAST = (
    "model.name=test_resnet",
    "model.weights=none",
    "data.img_size=32",
    "data.num_workers=0",
    "train.epochs=1",
    "train.batch_size=8",
    "log.loggers=local",
    "log.looks=none",
)


@pytest.fixture
def data(colours, tmp_path) -> Path:
    """The colours as a competition gives them: csv of id and label, a sample submission."""
    folder = tmp_path / "data" / "colours"
    for part in ("train", "test"):
        (folder / part).mkdir(parents=True)
    train, test = colours[colours.fold != 0], colours[colours.fold == 0]
    for part, frame in (("train", train), ("test", test)):
        for row in frame.itertuples():
            (folder / part / row.image_id).symlink_to(row.path)
    labels = [COLOURS[label] for label in train.label]
    pd.DataFrame({"image": train.image_id, "colour": labels}).to_csv(
        folder / "train.csv", index=False
    )
    pd.DataFrame({"image": test.image_id, "colour": "blue"}).to_csv(
        folder / "sample_submission.csv", index=False
    )
    return folder


@pytest.fixture
def project(kit, data):
    """The data and a competition made for it."""
    assert kit("new", "colours", "--task", "classification")[0] == 0
    return kit


@pytest.fixture
def runs(project, tmp_path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def begun(project, data, tmp_path):
    """Three folds of which there are out-of-fold files and no weights."""
    train = pd.read_csv(data / "train.csv").rename(columns={"image": "image_id"})
    train["fold"] = make_folds(train, "stratified", 3, 42, stratify="colour")
    write_folds(tmp_path / "runs", "baseline", train, settings())
    return project


@pytest.fixture
def things(tmp_path) -> Path:
    """Pictures of a bright rectangle, for training and for testing; targets are yet to come."""
    folder = tmp_path / "data" / "things"
    write_pictures(folder / "train", "abcdef")
    write_pictures(folder / "test", "uv")
    return folder
