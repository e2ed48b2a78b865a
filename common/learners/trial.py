"""How fast a config trains on this machine: steps of the competition's own learner."""

import statistics
import time
from collections.abc import Iterable, Mapping
from contextlib import nullcontext
from itertools import cycle
from typing import Any, NamedTuple

import torch

from common.config import Config
from common.data.loaders import stop_workers, with_batch_size
from common.errors import KitError
from common.keys import IMAGE
from common.learners.base import Learner
from common.models.compiled import compile_model

WARM_UP, BLOCK, MOST_ROUNDS = 2, 0.25, 30  # steps; seconds of a turn; turns of each
HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Speed(NamedTuple):
    """What a trial has shown."""

    images: float  # per second
    ratio: float  # to the other's speed, median over turns
    memory: float  # GB: the most that the GPU had in use; of a CPU what the process has now


class Trial:
    """Training steps with a learning rate of 0: all of the work, and the weights stay.

    Args:
        learner: its model, loss and optimiser; callbacks are left out, they cost the same anyway.
        config: says precision and whether to compile.
        batches: on the device; taken in turns.
    """

    def __init__(
        self, learner: Learner, config: Config, batches: Iterable[Mapping[str, Any]]
    ) -> None:
        self.learner, self.device = learner, learner.device
        if config.model.compile and not compile_model(learner.model, self.device):
            raise KitError("there is no compiler")
        self.model = learner.model.train()
        self.optimiser = learner.opt_func(learner.splitter(learner.model), lr=0.0).opt
        amp = config.train.amp
        half = torch.autocast(self.device.type, HALF[amp]) if amp != "none" else nullcontext()
        self.precision: Any = half
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=amp == "fp16")
        self.batches = cycle(list(batches))

    def step(self, batch: Mapping[str, Any] | None = None) -> int:
        """Train on a batch, by default the next of its own; return how many images it had."""
        batch = next(self.batches) if batch is None else batch
        with self.precision:
            loss = self.learner.loss_func(self.model(batch), batch)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self.optimiser.zero_grad()
        return len(batch[IMAGE])

    def block(self, seconds: float = BLOCK) -> float:
        """Train for so many seconds, a step at least; return images per second."""
        began, images = self.now(), 0
        while not images or time.perf_counter() - began < seconds:
            images += self.step()
        return images / (self.now() - began)

    def read(self, num_workers: int, seconds: float) -> float:
        """Train on what so many processes read; return images per second, without the start."""
        train = self.learner.dls.train
        loader = with_batch_size(train, train.batch_size, num_workers)
        batches = iter(loader)
        self.step(self.learner._set_device(next(batches)))
        began, images = self.now(), 0
        while not images or time.perf_counter() - began < seconds:
            if (batch := next(batches, None)) is None:
                batches = iter(loader)
                continue
            images += self.step(self.learner._set_device(batch))
        speed = images / (self.now() - began)
        stop_workers(loader)
        return speed

    def now(self) -> float:
        """Return seconds, once the device has done what it was told."""
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter()


def compare(trial: Trial, other: Trial, seconds: float) -> Speed:
    """Let two trials take turns, warmed up, for so many seconds, two turns at least."""
    if trial.device.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
    for _ in range(WARM_UP):
        trial.step()
    memory = used_memory(trial.device)
    if other is not trial:
        other.step()
    began, pairs = trial.now(), list[tuple[float, float]]()
    while len(pairs) < 2 or (trial.now() - began < seconds and len(pairs) < MOST_ROUNDS):
        mine = trial.block()
        pairs.append((mine, mine if other is trial else other.block()))
    images = statistics.median(mine for mine, _ in pairs)
    return Speed(images, statistics.median(mine / theirs for mine, theirs in pairs), memory)


def used_memory(device: torch.device) -> float:
    """Return GB: the GPU's at most, else what this process has in memory; 0 if unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    try:
        with open("/proc/self/statm") as file:  # noqa: PTH123 - no folder of ours
            return int(file.read().split()[1]) * 4096 / 2**30
    except OSError:
        return 0.0
