"""Cost of looking whether each step is finite: the same step with the guard and without, in turns.

Goal: at most 0.5 % of a step of resnet18. Steps with and without alternate in one training, so that
both see the same machine; CPU time of the process counts, so that a busy machine does not. The time
of the handlers themselves is measured beside it.
`python tests/benchmarks/anomalies.py`
"""

import os

os.environ.update(NO_ALBUMENTATIONS_UPDATE="1")
import argparse
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import timm
import torch
from table import tell
from torch import nn

from common.callbacks.anomaly import Anomalies, Reporter
from common.callbacks.base import Callback
from common.config import Config, ModelConfig
from common.keys import EMBEDDING, IMAGE, IMAGE_ID, INDEX, LABEL, LOGITS
from common.learners.classification import make_learner
from common.loggers.recording import RecordingLogger
from common.models.normalise import Normalise

WARM_UP = 4


class Dicts(nn.Module):
    """A timm network with the kit's contract."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.body, self.normalise = (
            timm.create_model(name, num_classes=10),
            Normalise((0.5,) * 3, (0.2,) * 3),
        )

    def forward(self, batch: dict) -> dict:
        logits = self.body(self.normalise(batch[IMAGE]))
        return {LOGITS: logits, EMBEDDING: logits}


class Repeat:
    """Yields one batch again and again."""

    def __init__(self, batch: dict, steps: int) -> None:
        self.batch, self.steps = batch, steps
        self.dataset = range(len(batch[INDEX]) * steps)

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Any:
        return iter([self.batch] * self.steps)


class Timed(Anomalies):
    """Looks at every second step alone and sums up the time of its handlers."""

    on, spent = True, 0.0


def timed(name: str) -> Any:
    """Return a handler that is timed, and does nothing where the guard is off."""
    plain = getattr(Anomalies, name)

    def handler(self: Timed) -> None:
        if self.on:
            start = time.process_time()
            plain(self)
            self.spent += time.process_time() - start

    return handler


for event in ("_arrive", "before_batch", "after_loss", "before_step", "after_step"):
    setattr(Timed, event, timed(event))


class Steps(Callback):
    """CPU seconds of each step, and of the guard in it."""

    order = 2000

    def __init__(self, guard: Timed) -> None:
        self.guard = guard
        self.rows: list[tuple[bool, float, float]] = []

    def before_train(self) -> None:
        self.last = time.process_time()

    def after_batch(self) -> None:
        if not self.learn.training:
            return
        now = time.process_time()
        self.rows.append((self.guard.on, now - self.last, self.guard.spent))
        # on off off on: a drift of the machine cancels out
        self.guard.on, self.guard.spent = len(self.rows) % 4 in (0, 3), 0.0
        self.last = time.process_time()


def measure(name: str, size: int, side: int, steps: int) -> None:
    """Print the paired ratio of steps with and without, and the handlers' share."""
    config = Config(
        competition="bench",
        classes=tuple("abcdefghij"),
        metric="accuracy",
        model=ModelConfig(weights="none"),
    )
    batch = {
        IMAGE: torch.randint(0, 256, (size, 3, side, side), dtype=torch.uint8),
        INDEX: torch.arange(size),
        LABEL: torch.randint(0, 10, (size,)),
        IMAGE_ID: [str(number) for number in range(size)],
    }
    with TemporaryDirectory() as folder:
        guard = Timed("stop", Reporter(config, RecordingLogger(), Path(folder)))
        looks = Steps(guard)
        learner = make_learner(Dicts(name), Repeat(batch, steps), Repeat(batch, 1), [], config)
        learner.add_cbs([guard, looks])
        learner.fit(1, 1e-4)
    rows = np.array(looks.rows[WARM_UP:])
    with_it, without = (rows[rows[:, 0] == on][:, 1] for on in (1, 0))
    own = rows[rows[:, 0] == 1][:, 2]
    pairs = rows[: len(rows) // 4 * 4].reshape(-1, 4, 3)
    ratios = [four[four[:, 0] == 1, 1].sum() / four[four[:, 0] == 0, 1].sum() for four in pairs]
    print(
        f"{name:12} {size:3d} x {side:3d} px  step {np.median(without) * 1e3:8.2f} ms, guarded "
        f"{np.median(with_it) * 1e3:8.2f} ms, ratio of fours {np.median(ratios):.4f}; handlers "
        f"{np.median(own) * 1e3:6.3f} ms = {np.median(own) / np.median(without):.3%}"
    )
    # The handlers' own time: what they add is far below what whole steps differ by.
    share = 100 * float(np.median(own) / np.median(without))
    why = f"its handlers take {np.median(own) * 1e3:.1f} ms, however small the step"
    what = f"guard against NaN, {name}, {size} x {side} px"
    tell(what, "a step without", share, 0.5, unit="% more", why=why)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=60)
    given = parser.parse_args()
    torch.set_num_threads(1)
    for size, side in ((8, 64), (32, 64), (8, 224)):
        measure("resnet18", size, side, given.steps)
    print(f"load average {os.getloadavg()[0]:.1f}")
