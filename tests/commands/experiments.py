"""Finished experiments on disk, with out-of-fold predictions of a known quality."""

from pathlib import Path

import numpy as np
import pandas as pd

from common.checkpoints import save_checkpoint
from common.config import Config
from common.keys import FOLD, IMAGE_ID, LABEL, LOSS
from common.runs import Run, write_json

COLOURS = ("blue", "green", "red")


def settings(**values) -> Config:
    return Config(
        competition="colours", classes=COLOURS, metric="accuracy", watch=("log_loss",)
    ).model_copy(update={"data.n_folds": 3, **values})


def write_experiment(
    runs: Path, name: str, noise: float = 1.0, seed: int = 0, prefix: str = "i", count: int = 300
) -> pd.DataFrame:
    """Three folds of softmax predictions: the truth and noise that other seeds do not share."""
    truth = np.random.default_rng(99).integers(0, 3, count)
    logits = 2 * np.eye(3)[truth] + noise * np.random.default_rng(seed).normal(size=(count, 3))
    probs = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    columns = {f"prob_{colour}": probs[:, c] for c, colour in enumerate(COLOURS)}
    ids = [f"{prefix}{number:03d}" for number in range(count)]
    frame = pd.DataFrame({IMAGE_ID: ids, LABEL: truth, **columns, LOSS: 0.0})
    return write_folds(runs, name, frame.assign(**{FOLD: np.arange(count) % 3}), settings())


def write_folds(runs: Path, name: str, frame: pd.DataFrame, config: Config) -> pd.DataFrame:
    """Write a table into the folders of its folds, each with a checkpoint of one weight."""
    for fold, rows in frame.groupby(FOLD):
        run = Run(runs / config.competition / name / f"fold{fold}")
        run.checkpoints.mkdir(parents=True)
        write_json(run.config_file, config.model_dump(mode="json"))
        rows.to_parquet(run.oof_file, index=False)
        save_checkpoint(run.best(), {"weights": {}, "config": config.model_dump(mode="json")})
    return frame


def grow(data: Path, sample: pd.DataFrame) -> None:
    """Add a test image to the folder and the sample submission."""
    (data / "test" / "new.jpg").symlink_to((data / "test" / sample.image[0]).resolve())
    more = pd.DataFrame({"image": ["new.jpg"], "colour": "blue"})
    pd.concat([sample, more]).to_csv(data / "sample_submission.csv", index=False)


def blend(project, *words, members=("a", "b")):
    """Blend experiments of the colours by the command line; return exit code and text."""
    named = [word for member in members for word in ("--run", member)]
    return project("blend", "colours", *named, *words)


def replace(path: Path, content: bytes) -> None:
    """Put other bytes in a file's place, which may be a link."""
    path.unlink()
    path.write_bytes(content)
