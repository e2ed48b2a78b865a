"""A project of one's own: data on disk, a competition made by `kit new`, a place for runs."""

import sys
from pathlib import Path

import pandas as pd
import pytest

import competitions
from common.cli import main

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
def kit(monkeypatch, tmp_path, capsys):
    """Return a function that runs the command line and gives (exit code, printed text)."""
    (tmp_path / "competitions").mkdir()
    monkeypatch.setattr(
        competitions, "__path__", [str(tmp_path / "competitions"), *competitions.__path__]
    )
    monkeypatch.setenv("KIT_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(tmp_path)

    def run(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["kit", *map(str, words)])
        try:
            main()
            code = 0
        except SystemExit as leave:
            code = int(leave.code or 0)
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    yield run
    for name in [name for name in sys.modules if name.startswith("competitions.colours")]:
        del sys.modules[name]


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
