"""Time of a training step: the Learner with all default callbacks against a bare PyTorch loop.

Same model, same tensors, same fused AdamW. The two take turns in one process; a step is the time of
the processor between two batches that the loop asks for. `python tests/benchmarks/step.py`
"""

import os

os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", NO_ALBUMENTATIONS_UPDATE="1")
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import timm
import torch
from table import tell
from torch import nn

from common.callbacks.anomaly import guards
from common.callbacks.interrupt import Interrupt
from common.config import Config, LogConfig, ModelConfig, TrainConfig
from common.keys import EMBEDDING, IMAGE, IMAGE_ID, INDEX, LABEL, LOGITS
from common.learners.classification import make_learner
from common.learners.optimiser import make_optimiser
from common.learners.recipe import technique_callbacks, watching_callbacks
from common.loggers.factory import make_loggers
from common.models.normalise import Normalise

WARM_UP = 5


class Tiny(nn.Module):
    """Four parameter tensors: what is left of a step is the loop's own cost."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden, self.out = nn.Linear(3 * 8 * 8, 64), nn.Linear(64, 10)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.out(self.hidden(image.flatten(1)).relu())


class Dicts(nn.Module):
    """The same network with the kit's contract."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body, self.normalise = body, Normalise((0.5,) * 3, (0.2,) * 3)

    def forward(self, batch: dict) -> dict:
        logits = self.body(self.normalise(batch[IMAGE]))
        return {LOGITS: logits, EMBEDDING: logits}


class Repeat:
    """Yields one batch again and again and notes when it was asked for."""

    clock = staticmethod(time.perf_counter)

    def __init__(self, batch: dict, steps: int) -> None:
        self.batch, self.steps, self.times = batch, steps, []
        self.dataset = range(len(batch[INDEX]) * steps)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[dict]:
        self.times = []
        for _ in range(self.steps):
            self.times.append(self.clock())
            yield self.batch
        self.times.append(self.clock())

    def step_times(self) -> np.ndarray:
        return np.diff(self.times)[WARM_UP:]


def bare(body: nn.Module) -> Callable[[Repeat], np.ndarray]:
    """Return a bare loop over the network: no wrapper, one call per thing."""
    normalise, groups = Normalise((0.5,) * 3, (0.2,) * 3), [list(body.parameters())]
    optimiser = make_optimiser(groups, 1e-3).opt
    body.train()

    def run(loader: Repeat) -> np.ndarray:
        for batch in loader:
            loss = nn.functional.cross_entropy(body(normalise(batch[IMAGE])), batch[LABEL])
            loss.backward()
            optimiser.step()
            optimiser.zero_grad()
        return loader.step_times()

    return run


def kit(
    body: nn.Module, folder: Path, loggers: tuple[str, ...], watched: bool = True
) -> Callable[[Repeat], np.ndarray]:
    """Return the kit's loop with the callbacks and loggers that `kit train` has by default.

    What is not `watched` has no callbacks but the Learner's own.
    """
    config = Config(
        competition="bench",
        classes=tuple("abcdefghij"),
        metric="accuracy",
        model=ModelConfig(weights="none"),
        train=TrainConfig(epochs=1),
        log=LogConfig(looks="none", loggers=loggers),
    )
    logger = make_loggers(config.log.loggers, folder, project="bench", name="bench", group="bench")
    watching = [*watching_callbacks(config, logger), *guards(config, logger, folder / "anomalies")]
    callbacks = [*technique_callbacks(config), *watching, Interrupt()] if watched else []

    def run(loader: Repeat) -> np.ndarray:
        one = Repeat(loader.batch, 1)
        learner = make_learner(Dicts(body), loader, one, [], config)
        learner.add_cbs(callbacks)
        with redirect_stdout(StringIO()):
            learner.fit(1)
        times = loader.step_times()
        learner.remove_cbs(callbacks)
        return times

    return run


def batch(size: int, side: int) -> dict:
    """Return a batch of random uint8 images."""
    return {
        IMAGE: torch.randint(0, 256, (size, 3, side, side), dtype=torch.uint8),
        INDEX: torch.arange(size),
        LABEL: torch.randint(0, 10, (size,)),
        IMAGE_ID: [str(number) for number in range(size)],
    }


def compare(
    name: str, make: Callable[[], nn.Module], data: dict, steps: int, rounds: int
) -> dict[str, tuple[float, float]]:
    """Print and return, of each loop, the median ratio to the bare one and the added ms a step."""
    with TemporaryDirectory() as folder:
        loops = {
            "bare": bare(make()),
            "kit, no loggers": kit(make(), Path(folder) / "a", ()),
            "kit, all loggers": kit(make(), Path(folder) / "b", ("wandb", "tensorboard", "local")),
        }
        times: dict[str, list[float]] = {loop: [] for loop in loops}
        for _ in range(rounds):
            for loop, run in loops.items():
                times[loop].append(float(np.mean(run(Repeat(data, steps)))))
    base, found = np.array(times["bare"]), {}
    for loop, values in times.items():
        ratio = float(np.median(np.array(values) / base))
        added = float(np.median(np.array(values) - base)) * 1e3
        found[loop] = ratio, added
        print(
            f"{name:24} {loop:18} {np.median(values) * 1e3:9.3f} ms/step  "
            f"ratio {ratio:6.3f}  added {added:7.3f} ms"
        )
    return found


def tell_ratios(name: str, goal: float, data: dict, steps: int, rounds: int) -> None:
    """Compare resnet18, whose goal is a share of the bare loop's time."""
    make = partial(timm.create_model, "resnet18", num_classes=10)
    for loop, (ratio, _) in compare(name, make, data, steps, rounds).items():
        if loop != "bare":
            tell(f"a step of {name}, {loop}", "bare PyTorch, the same fused AdamW", ratio, goal)


def tell_added(name: str, data: dict, steps: int, rounds: int) -> None:
    """Compare a tiny network, whose goal is what the loop itself costs."""
    found = compare(name, Tiny, data, steps, rounds)
    without, loggers = found["kit, no loggers"][1], found["kit, all loggers"][1]
    what = f"added to a step of {name}"
    tell(what, "bare PyTorch, the same fused AdamW", without, 0.5, unit="ms")
    tell(f"{what}, by all loggers", "none", loggers - without, 0.2, unit="ms")


if __name__ == "__main__":
    torch.set_num_threads(1)
    Repeat.clock = staticmethod(time.process_time)  # whatever else the machine does
    tell_added("a tiny network, 32 x 8 px", batch(32, 8), steps=400, rounds=9)
    tell_ratios("resnet18, 32 x 64 px", 1.03, batch(32, 64), steps=15, rounds=7)
    tell_ratios("resnet18, 16 x 224 px", 1.01, batch(16, 224), steps=12, rounds=5)
