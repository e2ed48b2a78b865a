"""One thread, no network, and a small world of images that a tiny network learns in seconds."""

import os

os.environ.update(NO_ALBUMENTATIONS_UPDATE="1", WANDB_MODE="offline", WANDB_SILENT="true")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import gc
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import competitions
from common.cli import main
from common.config import Config, DataConfig, LogConfig, ModelConfig, TrainConfig
from common.metrics import resampling

torch.set_num_threads(1)
COLOURS = {"blue": (40, 60, 200), "green": (40, 180, 60), "red": (200, 50, 40)}


@pytest.fixture(autouse=True)
def _freed():
    """Free what a test leaves: a learner is full of cycles, and its tensors count for nothing.

    What stays was imported or is a module's: it is looked through once, not after every test.
    """
    yield
    gc.collect()
    gc.freeze()


@pytest.fixture
def config() -> Config:
    return Config(
        competition="colours",
        classes=tuple(COLOURS),
        metric="accuracy",
        watch=("macro_f1",),
        data=DataConfig(img_size=32, augment="flip", num_workers=0, n_folds=3),
        model=ModelConfig(name="test_resnet", weights="none"),
        train=TrainConfig(epochs=2, batch_size=8, lr=3e-3, seed=7),
        log=LogConfig(loggers=("local",), looks="none", strict=True),
    )


def write_images(folder: Path, per_class: int = 12, seed: int = 0) -> pd.DataFrame:
    """Write noisy images of one colour each; return image_id, path and label name."""
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for number in range(per_class * len(COLOURS)):
        label = list(COLOURS)[number % len(COLOURS)]
        pixels = random.normal(COLOURS[label], 40, (40, 48, 3)).clip(0, 255).astype(np.uint8)
        path = folder / f"{number:03d}.jpg"
        Image.fromarray(pixels).save(path, quality=95)
        rows.append({"image_id": path.name, "path": str(path), "label": label})
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def colours(tmp_path_factory) -> pd.DataFrame:
    """36 images of 3 classes, label as index, with 3 folds."""
    frame = write_images(tmp_path_factory.mktemp("colours"))
    frame["label"] = frame["label"].map({name: place for place, name in enumerate(COLOURS)})
    frame["fold"] = np.arange(len(frame)) // 3 % 3
    return frame


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
    made = {f"competitions.{path.name}" for path in (tmp_path / "competitions").iterdir()}
    for name in [name for name in sys.modules if ".".join(name.split(".")[:2]) in made]:
        del sys.modules[name]


@pytest.fixture
def few_draws(monkeypatch):
    """Draw samples anew a few times only, where no interval is read: boxes take seconds."""
    repeat = resampling.repeat
    monkeypatch.setattr(
        resampling,
        "repeat",
        lambda scores, num, sizes, times, *rest: repeat(scores, num, sizes, min(times, 20), *rest),
    )
