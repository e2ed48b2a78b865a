"""Cost of looking: whole trainings with all looks and loggers against none, in turns.

Same seed, same data, same network; the order of the two turns around from round to round. Counted
are CPU seconds of the process with all its threads, which other work on the machine hardly blurs;
W&B's own process is not among them, hence the clock's ratio beside it. Goals: at most 2 % of the
training's time, of which at most 1 % in steps.
`python tests/benchmarks/looks.py --size 224 --train 2000 --valid 500` takes an hour on two cores.
"""

import os

os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", NO_ALBUMENTATIONS_UPDATE="1")
import argparse
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import torch
from PIL import Image
from table import paired, tell

from common.callbacks.base import Callback
from common.config import Config, DataConfig, LogConfig, ModelConfig, TrainConfig
from common.data.build import fold_loaders
from common.environment import seed_everything
from common.keys import FOLD, IMAGE_ID, LABEL, PATH
from common.learners.classification import make_learner
from common.learners.recipe import train_run, watching_callbacks
from common.loggers.factory import make_loggers
from common.metrics.choose import choose_metrics
from common.models.classifier import make_classifier
from common.runs import Run

CLASSES = tuple("abcdefghij")


class Steps(Callback):
    """CPU seconds from the first batch of each epoch to its last, and the number of steps."""

    order = 2000  # behind everything that is measured

    def __init__(self) -> None:
        self.seconds, self.count = 0.0, 0

    def after_batch(self) -> None:
        if not self.learn.training:
            return
        now = time.process_time()
        if self.learn.iter:
            self.seconds += now - self.last
            self.count += 1
        self.last = now


class Validation(Callback):
    """CPU seconds of the last validation and all that looks at it."""

    order = 2000

    def before_validate(self) -> None:
        self.began = time.process_time()

    def after_epoch(self) -> None:
        self.seconds = time.process_time() - self.began


def write_images(folder: Path, count: int, size: int) -> pd.DataFrame:
    """Write noise in the colour of its class."""
    random = np.random.default_rng(0)
    shades = random.uniform(40, 215, (len(CLASSES), 3))
    rows = []
    for number in range(count):
        label = number % len(CLASSES)
        small = random.normal(shades[label], 40, (size // 8, size // 8, 3)).clip(0, 255)
        path = folder / f"{number:05d}.jpg"
        Image.fromarray(small.astype(np.uint8)).resize((size, size)).save(path, quality=90)
        rows.append({IMAGE_ID: path.name, PATH: str(path), LABEL: label})
    return pd.DataFrame(rows)


def make_config(given: argparse.Namespace, on: bool) -> Config:
    """Return a training with all looks and loggers, or with none."""
    every = ("wandb", "tensorboard", "local")
    names = given.looks if given.looks in ("all", "none") else tuple(given.looks.split(","))
    log = LogConfig(looks=names, loggers=every) if on else LogConfig(looks="none", loggers=())
    return Config(
        competition="bench",
        classes=CLASSES,
        metric="accuracy",
        data=DataConfig(img_size=given.size, num_workers=0),
        model=ModelConfig(name=given.model, weights="none"),
        train=TrainConfig(epochs=given.epochs, batch_size=given.batch_size),
        log=log,
    )


def train(frame: pd.DataFrame, config: Config, folder: Path) -> tuple[float, float, float, str]:
    """Return CPU seconds of the whole run and per step, its seconds by the clock, the checksum."""
    seed_everything(config.train.seed, config.train.deterministic)
    run = Run.create(folder, config)
    metrics = choose_metrics(config)
    loaders = fold_loaders(frame, 0, config)
    learner = make_learner(make_classifier(config), *loaders, metrics, config)
    steps = Steps()
    learner.add_cb(steps)
    start, clock = time.process_time(), time.perf_counter()
    with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        summary = train_run(learner, config, run, metrics)
    seconds, clock = time.process_time() - start, time.perf_counter() - clock
    return seconds, steps.seconds / max(steps.count, 1), clock, summary["weights_sha256"]


def validate(frame: pd.DataFrame, config: Config, folder: Path) -> float:
    """Return the CPU seconds of a validation, of the looks after it included."""
    learner = make_learner(make_classifier(config), *fold_loaders(frame, 0, config), [], config)
    logger = make_loggers(config.log.loggers, folder, project="b", name="b", group="b")
    timer = Validation()
    learner.add_cbs([*watching_callbacks(config, logger), timer])
    with redirect_stdout(StringIO()):
        learner.fit(1, 1e-3)
    logger.finish("finished")
    return timer.seconds


def validation(given: argparse.Namespace) -> None:
    """Compare validation with and without best and worst and the confusion matrix."""
    with TemporaryDirectory() as place:
        folder = Path(place)
        frame = write_images(folder, 2 * given.batch_size + given.judged, given.size)
        frame[FOLD] = (np.arange(len(frame)) >= given.judged).astype(int)
        given.looks = "extremes,confusion"
        on = make_config(given, on=True)
        off = on.model_copy(update={"log": on.log.model_copy(update={"looks": "none"})})
        mine, other, ratio = paired(
            lambda: validate(frame, on, folder / "on"),
            lambda: validate(frame, off, folder / "off"),
            3,
        )
    what = f"best, worst and confusion matrix, {given.judged} images, {given.model}"
    why = f"pictures for three loggers take {mine - other:.1f} s, however many images there are"
    tell(what, "validation without", ratio, 1.1, why=why)


def main(given: argparse.Namespace) -> None:
    """Print both costs, each as the median ratio of neighbouring runs."""
    found: dict[bool, list[tuple[float, float, float, str]]] = {True: [], False: []}
    with TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "images").mkdir()
        frame = write_images(folder / "images", given.train + given.valid, given.size)
        frame[FOLD] = (np.arange(len(frame)) >= given.valid).astype(int)
        train(frame, make_config(given, on=True), folder / "runs" / "warm" / "up" / "fold0")
        for number in range(given.rounds):
            for on in (True, False) if number % 2 else (False, True):
                name = f"{'on' if on else 'off'}{number}"
                config = make_config(given, on)
                found[on].append(train(frame, config, folder / "runs" / "bench" / name / "fold0"))
    on, off = (np.array([row[:3] for row in found[state]]) for state in (True, False))
    for place, part in enumerate(("whole, CPU", "step, CPU", "whole, clock")):
        ratio = np.median(on[:, place] / off[:, place])
        print(
            f"{part:15} off {np.median(off[:, place]):8.4f} s  "
            f"on {np.median(on[:, place]):8.4f} s  ratio {ratio:.4f}  "
            f"rounds {np.round(on[:, place] / off[:, place], 3).tolist()}"
        )
    same = len({checksum for runs in found.values() for *_, checksum in runs}) == 1
    print(f"weights bit-identical: {same}; load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--size", type=int, default=64, help="pixels")
    parser.add_argument("--train", type=int, default=512, help="images")
    parser.add_argument("--valid", type=int, default=128, help="images")
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--judged", type=int, default=2000, help="images, for validation alone")
    parser.add_argument("--looks", default="all", help="all, none or names")
    torch.set_num_threads(1)
    arguments = parser.parse_args()
    if arguments.rounds:
        main(arguments)
    validation(arguments)
