"""Peak memory of looking: all looks against none at many validation samples; goal + 100 MB.

Each state trains in a process of its own, first on a few samples, so that what is imported and
opened once is not counted. `python tests/benchmarks/look_memory.py --valid 50000`
"""

import argparse
import os
import resource
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", NO_ALBUMENTATIONS_UPDATE="1")
import torch
from table import tell
from torch import nn
from torch.utils.data import DataLoader, Dataset

from common.config import Config, DataConfig, LogConfig, ModelConfig, TrainConfig
from common.data.loaders import collate
from common.keys import IMAGE, IMAGE_ID, INDEX, LABEL, LOGITS
from common.learners.classification import make_learner
from common.learners.recipe import train_run
from common.metrics.choose import choose_metrics
from common.runs import Run

SIDE, CLASSES = 16, tuple("abcdefghij")


class Images(Dataset):
    """Pictures that are made when they are asked for, so that they take no memory."""

    columns: dict = {}

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def image_id(self, index: int) -> str:
        """Return a name."""
        return f"{index:06d}"

    def __getitem__(self, index: int) -> dict:
        label = index * 7919 % len(CLASSES)
        pixels = torch.full((3, SIDE, SIDE), 20 * label, dtype=torch.uint8)
        return {IMAGE: pixels, INDEX: index, IMAGE_ID: self.image_id(index), LABEL: label}


class Tiny(nn.Module):
    """One layer."""

    def __init__(self) -> None:
        super().__init__()
        self.out = nn.Linear(3 * SIDE * SIDE, len(CLASSES))

    def forward(self, batch: dict) -> dict:
        return {LOGITS: self.out(batch[IMAGE].flatten(1) / 255)}


def train(valid: int, looks: str, folder: Path) -> None:
    """Train one epoch on few samples, validate on many."""
    config = Config(
        competition="bench",
        classes=CLASSES,
        metric="accuracy",
        data=DataConfig(img_size=SIDE),
        model=ModelConfig(weights="none"),
        train=TrainConfig(epochs=1),
        log=LogConfig(looks=looks, loggers=("local",)),
    )
    loaders = [DataLoader(Images(count), 256, collate_fn=collate) for count in (512, valid)]
    metrics = choose_metrics(config)
    learner = make_learner(Tiny(), *loaders, metrics, config)
    with redirect_stdout(StringIO()):
        train_run(learner, config, Run.create(folder / looks / "fold0", config), metrics)


def peak() -> float:
    """Return the largest resident size so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def grown(valid: int, looks: str) -> float:
    """Return by how many MB the peak rises from a few samples to many."""
    with TemporaryDirectory() as place:
        train(512, looks, Path(place) / "few")
        before = peak()
        train(valid, looks, Path(place) / "many")
    return peak() - before


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--valid", type=int, default=50_000, help="samples")
    parser.add_argument("--looks", choices=("all", "none"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.looks:
        print(grown(given.valid, given.looks))
    else:
        command = [sys.executable, __file__, "--valid", str(given.valid), "--looks"]
        on, off = (
            float(subprocess.run([*command, state], capture_output=True, check=True).stdout)
            for state in ("all", "none")
        )
        what = f"peak memory of all looks, {given.valid:,} validation samples"
        tell(what, "no looks", on - off, 100, unit="MB more")
        print(
            f"peak memory grows from 512 to {given.valid:,} validation samples by {on:.0f} MB "
            f"with all looks, {off:.0f} MB with none: + {on - off:.0f} MB"
        )
