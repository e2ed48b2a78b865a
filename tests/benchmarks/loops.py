"""A training step of the kit against fastai as users run it, and a plain script's loop.

A tiny network, so that what is left is the loop; each loop has the observers of its defaults.
`python tests/benchmarks/loops.py`
"""

import os

os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", NO_ALBUMENTATIONS_UPDATE="1")
import statistics
import time
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import fastai.callback.schedule  # noqa: F401 - adds fit_one_cycle
import numpy as np
import timm
import torch
from fastai.callback.wandb import WandbCallback
from fastai.data.core import DataLoaders
from fastai.learner import Learner as FastaiLearner
from fastai.optimizer import Adam
from peers import Pairs, ignite_loop, lightning_loop
from step import Repeat, Tiny, bare, batch, kit
from table import paired, tell
from timm.optim import create_optimizer_v2
from timm.scheduler import CosineLRScheduler
from timm.utils import AverageMeter, ModelEmaV3
from torch import nn

from common.keys import IMAGE, LABEL
from common.learners.optimiser import make_optimiser

WHY = "schedule, clipping, guard and record of the step all count, not the dispatch alone"
Loop = Callable[[Repeat], np.ndarray]


def fastai_default(wandb: bool = False) -> Loop:
    """Return fastai as its users run it: its bar, its Adam, one cycle; with W&B if it is asked."""
    model = Tiny()
    callbacks = [WandbCallback(log_preds=False)] if wandb else []  # its predictions fail on this

    def run(loader: Repeat) -> np.ndarray:
        loaders = DataLoaders(Pairs(loader), Pairs(Repeat(loader.batch, 1)))
        loaders._device = torch.device("cpu")
        learner = FastaiLearner(loaders, model, nn.CrossEntropyLoss(), opt_func=Adam)
        learner.gather_args = dict  # WandbCallback fails on arguments that are not fastai's own
        with redirect_stdout(StringIO()):
            learner.fit_one_cycle(1, 1e-3, cbs=callbacks)
        return loader.step_times()

    return run


def timm_script() -> Loop:
    """Return the loop of timm's training script: meters, schedule by update, running mean."""
    model, loss_of = Tiny(), nn.CrossEntropyLoss()
    optimiser = create_optimizer_v2(model, opt="adamw", lr=1e-3, weight_decay=0.01)
    ema = ModelEmaV3(model, decay=0.999)

    def run(loader: Repeat) -> np.ndarray:
        steps, meter = len(loader), AverageMeter()
        schedule = CosineLRScheduler(optimiser, steps, t_in_epochs=False)
        model.train()
        for number, values in enumerate(loader):
            image, target = (values[IMAGE].float() / 255 - 0.5) / 0.2, values[LABEL]
            loss = loss_of(model(image), target)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimiser.step()
            optimiser.zero_grad()
            ema.update(model, step=number)
            meter.update(loss.item(), len(target))
            schedule.step_update(num_updates=number, metric=meter.avg)
        return loader.step_times()

    return run


def steps(rounds: int = 9, count: int = 200) -> None:
    """Let all loops take turns."""
    data = batch(32, 8)
    with TemporaryDirectory() as folder:
        loops = {
            "bare": bare(Tiny()),
            "kit": kit(Tiny(), Path(folder) / "a", ()),
            "kit, all loggers": kit(Tiny(), Path(folder) / "b", ("wandb", "tensorboard", "local")),
            "kit, nobody watches": kit(Tiny(), Path(folder) / "c", (), watched=False),
            "fastai": fastai_default(),
            "fastai, W&B": fastai_default(wandb=True),  # into the run of the kit's logger
            "timm": timm_script(),
        }
        if find_spec("lightning"):
            loops |= {"lightning": lightning_loop(), "lightning, bare": lightning_loop(False)}
        if find_spec("ignite"):
            loops["ignite"] = ignite_loop()
        times: dict[str, list[float]] = {name: [] for name in loops}
        for number in range(rounds + 1):
            for name, run in loops.items():
                seconds = float(np.mean(run(Repeat(data, count))))
                if number:
                    times[name].append(seconds)

    def ratio(name: str, other: str) -> float:
        return statistics.median(a / b for a, b in zip(times[name], times[other], strict=True))

    against = "fastai's defaults (bar, Adam, one cycle)"
    tell("a step, tiny network, no loggers", against, ratio("kit", "fastai"), 1.15)
    tell("a step, tiny network, all loggers", against, ratio("kit, all loggers", "fastai"), 1.15)
    script = "timm's script: meters, schedule, clipping, EMA (more than the kit's defaults do)"
    tell("a step, tiny network, no loggers", script, ratio("kit", "timm"), 1.15)
    for mine, other, what, against, goal in (
        ("kit, all loggers", "lightning", "all loggers", "Lightning: bar, AdamW, CSV", 1.0),
        ("kit, nobody watches", "lightning, bare", "nobody watches", "Lightning's loop, bare", 1.0),
        ("kit", "ignite", "no loggers", "Ignite: bar, running mean; no schedule or guard", 1.15),
    ):
        found = ratio(mine, other) if other in times else None
        missing = "" if other in times else "not installed"
        tell(f"a step, tiny network, {what}", against, found, goal, why=missing)
    added = np.subtract(times["kit"], times["kit, nobody watches"])
    what = "what all observers add to a step, guard against NaN included"
    tell(what, "the Learner alone", float(np.median(added)) * 1e6, 100, unit="us", why=WHY)
    ours = np.subtract(times["kit, all loggers"], times["kit"])
    theirs = np.subtract(times["fastai, W&B"], times["fastai"])
    what = "scalars of each step to three loggers, mean of all steps"
    tell(what, "fastai's WandbCallback", float(np.median(ours / theirs)), 0.25)


def optimisers() -> None:
    """Compare the step of the kit's optimiser with fastai's Adam on resnet18."""
    ours, theirs = (timm.create_model("resnet18", num_classes=10) for _ in range(2))
    mine, other = (
        make_optimiser([list(ours.parameters())], 1e-3),
        Adam(theirs.parameters(), lr=1e-3),
    )
    for model in (ours, theirs):
        for parameter in model.parameters():
            parameter.grad = torch.rand_like(parameter)
    _, _, ratio = paired(mine.step, other.step, 9)
    tell("a step of the optimiser, resnet18", "fastai's Adam", ratio, 0.4)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    Repeat.clock = staticmethod(time.process_time)  # whatever else the machine does
    steps()
    optimisers()
