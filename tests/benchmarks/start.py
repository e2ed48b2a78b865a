"""What one waits for: help, imports, the start on many items.

`python tests/benchmarks/start.py`
"""

import os

os.environ.update(NO_ALBUMENTATIONS_UPDATE="1", WANDB_MODE="disabled", WANDB_SILENT="true")
import resource
import statistics
import subprocess
import sys
import warnings
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import pandas as pd
import timm
import torch
from fastai.callback.core import CancelFitException
from fastai.learner import Learner as FastaiLearner
from fastai.metrics import accuracy
from fastai.vision.augment import Resize
from fastai.vision.data import ImageDataLoaders
from table import paired, tell
from torch import nn

from common.callbacks.base import Callback
from common.config import Config, DataConfig, LogConfig, ModelConfig, TrainConfig
from common.data.build import fold_loaders
from common.learners.classification import make_learner
from common.learners.recipe import technique_callbacks, watching_callbacks
from common.loggers.factory import make_loggers
from common.models.classifier import make_classifier

ROOT = str(Path(__file__).parents[2])
STACK = "import fastai.vision.all, timm, albumentations, wandb"
KIT = (
    "import common.learners.recipe, common.learners.classification, common.data.build, "
    "common.models.classifier, common.metrics.choose"
)
HELP = "import sys; from common.cli import main; sys.argv[1:] = ['--help']; main()"


def cpu_seconds(code: str) -> float:
    """Return the processor time of a Python that runs some code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-W", "ignore", "-c", code]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def imports() -> None:
    """Measure help, and what training imports against the libraries it is made of."""
    seconds = statistics.median(cpu_seconds(HELP) for _ in range(7))
    tell("kit --help", "none", seconds, 0.3, unit="s")
    ratios = [cpu_seconds(KIT) / cpu_seconds(STACK) for _ in range(3)]
    tell("import of what kit train needs", STACK, statistics.median(ratios), 1.05)


class StopAfterOne(Callback):
    """Ends the fit when the first step is done."""

    order = 1000

    def after_batch(self) -> None:
        raise CancelFitException


def first_step(rows: int, image: Path, folder: Path) -> None:
    """Make a training on so many images and do its first step."""
    config = Config(
        competition="bench",
        classes=tuple("abcde"),
        metric="accuracy",
        data=DataConfig(img_size=32, num_workers=0),
        model=ModelConfig(name="test_resnet", weights="none"),
        train=TrainConfig(epochs=1, batch_size=8),
        log=LogConfig(looks="all", loggers=("wandb", "local"), gradients_every=0),
    )
    number = np.arange(rows)
    frame = pd.DataFrame({"image_id": number.astype(str), "path": str(image)})
    frame = frame.assign(label=number % 5, fold=number % 2)
    loaders = fold_loaders(frame, 0, config)
    learner = make_learner(make_classifier(config), *loaders, [], config)
    logger = make_loggers(config.log.loggers, folder, project="b", name="b", group="b")
    learner.add_cbs([*technique_callbacks(config), *watching_callbacks(config, logger)])
    with redirect_stdout(StringIO()):
        learner.fit(1, cbs=StopAfterOne())
    logger.finish("finished")


def first_step_of_fastai(rows: int, image: Path) -> None:
    """Do the same by fastai's tutorial: data from a table, a Learner with its defaults."""
    number = np.arange(rows)
    frame = pd.DataFrame({"path": [str(image)] * rows, "label": number % 5, "valid": number % 2})
    loaders = ImageDataLoaders.from_df(
        frame.assign(valid=frame.valid == 0),
        "/",
        fn_col="path",
        label_col="label",
        valid_col="valid",
        item_tfms=Resize(32),
        bs=8,
        num_workers=0,
        device=torch.device("cpu"),
    )
    model = timm.create_model("test_resnet", num_classes=5)
    learner = FastaiLearner(loaders, model, nn.CrossEntropyLoss(), metrics=accuracy)
    with redirect_stdout(StringIO()):
        learner.fit(1, cbs=StopAfterOne())


def items() -> None:
    """Compare the way to the first step on 10,000 images with that on 100, and with fastai's."""
    with TemporaryDirectory() as place:
        image = Path(place) / "image.jpg"
        cv2.imwrite(str(image), np.zeros((40, 40, 3), np.uint8))
        many, _, ratio = paired(
            lambda: first_step(10_000, image, Path(place) / "many"),
            lambda: first_step(100, image, Path(place) / "few"),
            5,
        )
        _, _, other = paired(
            lambda: first_step(10_000, image, Path(place) / "ours"),
            lambda: first_step_of_fastai(10_000, image),
            5,
        )
    tell("to the first step, 10,000 images", "100 images", ratio, 1.5)
    what = "to the first step, 10,000 images, looks and loggers on"
    tell(what, "fastai: ImageDataLoaders.from_df, Learner, none", other, 1.0)
    tell("to the first step, 10,000 images, once imported", "none", many, 1.0, unit="s")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    imports()
    items()
