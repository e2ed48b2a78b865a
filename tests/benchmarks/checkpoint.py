"""What keeping the state costs: training with and without checkpoints, in turns in one process.

`python tests/benchmarks/checkpoint.py`
"""

import os

os.environ.update(NO_ALBUMENTATIONS_UPDATE="1")
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import timm
import torch
from step import Dicts, Repeat, batch
from table import tell

from common.callbacks.checkpoint import Checkpoint
from common.checkpoints import load_checkpoint
from common.config import Config, LogConfig, ModelConfig, TrainConfig
from common.learners.classification import make_learner
from common.learners.recipe import technique_callbacks, watching_callbacks
from common.loggers.factory import make_loggers
from common.runs import Run

STEPS, ROUNDS, SAVES = 12, 9, 7


def main(name: str) -> None:
    """Print the time of a save, what a step pays between saves, and the share of both."""
    config = Config(
        competition="bench",
        classes=tuple("abcdefghij"),
        metric="accuracy",
        model=ModelConfig(name=name, weights="none"),
        train=TrainConfig(epochs=1),
        log=LogConfig(looks="none", loggers=("local",)),
    )
    with TemporaryDirectory() as folder:
        run, data = Run(Path(folder) / "bench" / "a" / "fold0"), batch(32, 64)
        logger = make_loggers(("local",), run.folder, project="b", name="b", group="b")
        saver = Checkpoint(run, {}, logger, config.train.save_minutes)
        body, seconds, saves = timm.create_model(name, num_classes=10), {True: [], False: []}, []
        for number in range(2 * ROUNDS):
            loader, keeps = Repeat(data, STEPS), bool(number % 2)
            learner = make_learner(Dicts(body), loader, Repeat(data, 1), [], config)
            loader.batch_size, loader.sampler = 32, None
            callbacks = [*technique_callbacks(config), *watching_callbacks(config, logger)]
            learner.add_cbs([*callbacks, saver] if keeps else callbacks)
            with redirect_stdout(StringIO()):
                learner.fit(1)
            seconds[keeps].append(float(np.median(loader.step_times())))
            for _ in range(SAVES if keeps and number > 2 * ROUNDS - 3 else 0):
                began = time.perf_counter()
                saver.save(epoch_is_over=True)
                saves.append(time.perf_counter() - began)
        began = time.perf_counter()
        load_checkpoint(run.last)
        loading, size = time.perf_counter() - began, run.last.stat().st_size
    ratio = float(np.median(np.array(seconds[True]) / np.array(seconds[False])))
    save, every = float(np.median(saves)), 60 * config.train.save_minutes
    minutes = config.train.save_minutes
    tell(f"a checkpoint of {name} every {minutes:g} minutes", "none", 1 + save / every, 1.01)
    print(
        f"{name}: {size / 1e6:.0f} MB, a save {save:.2f} s ({min(saves):.2f} to {max(saves):.2f}), "
        f"loading {loading:.2f} s\n"
        f"  a step between saves: {ratio:.4f} of one without ({ROUNDS} pairs)\n"
        f"  a save every {minutes:g} minutes: {save / every:.2%} of the time; "
        f"with one at each epoch's end under 1 % from epochs of {save / 0.01 / 60:.1f} minutes on"
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    for model in ("resnet18", "resnet50"):
        main(model)
