"""Where does the time go?"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch

from common.callbacks.looks.base import Look
from common.callbacks.looks.steps import Listener, StepLook
from common.config import Config, foreign_keys
from common.evaluation import Evaluation
from common.figures.timing import timing_figure
from common.loggers.base import Logger

PARTS = ("data", "copy", "forward", "loss", "backward", "optimiser", "logging", "validation")
FIRST, LAST = -1000, 1000  # before and after all other callbacks
FOLD_AT = 4096  # marks kept before they are summed


class Clock(Protocol):
    """Gives marks in time; how long it was between two may be known later."""

    def now(self) -> Any:
        """Return a mark."""

    def passed(self, mark: Any) -> bool:
        """Return whether the mark's time is known without waiting."""

    def seconds(self, start: Any, end: Any) -> float:
        """Return the time between two marks."""


class HostClock:
    """The process's own clock: right where the device is the processor that runs us."""

    now = staticmethod(time.perf_counter)

    def passed(self, mark: float) -> bool:
        """Return True."""
        return True

    def seconds(self, start: float, end: float) -> float:
        """Return the difference."""
        return end - start


class CudaClock:
    """Events in the GPU's queue: the time at which the GPU reached a mark; no step waits for it.

    The GPU runs behind the host. Where it has nothing to do the next mark is late by as much as
    it waited for the host, so the parts of an epoch add up to its whole time on this clock too.
    """

    def now(self) -> torch.cuda.Event:
        """Put an event into the queue of the current stream."""
        event = torch.cuda.Event(enable_timing=True)
        event.record()
        return event

    def passed(self, mark: torch.cuda.Event) -> bool:
        """Return whether the GPU has reached the event."""
        return bool(mark.query())

    def seconds(self, start: torch.cuda.Event, end: torch.cuda.Event) -> float:
        """Return the time between two events, once the GPU has reached the second."""
        end.synchronize()
        return start.elapsed_time(end) / 1e3


class Ledger:
    """Splits time into named parts without a gap: a mark ends one part and begins the next."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.marks, self.parts = [clock.now()], [""]
        self.sums = dict.fromkeys(PARTS, 0.0)

    def mark(self, part: str) -> None:
        """Count the time since the last mark as that of a part."""
        self.parts.append(part)
        self.marks.append(self.clock.now())
        if len(self.marks) % FOLD_AT == 0 and self.clock.passed(self.marks[FOLD_AT // 2]):
            self._fold(FOLD_AT // 2)

    def close(self) -> dict[str, float]:
        """Return the seconds of each part since the last call; the last mark begins the next."""
        self._fold(len(self.marks) - 1)
        sums, self.sums = self.sums, dict.fromkeys(PARTS, 0.0)
        return sums

    def _fold(self, until: int) -> None:
        for place in range(1, until + 1):
            start, end = self.marks[place - 1], self.marks[place]
            self.sums[self.parts[place]] += self.clock.seconds(start, end)
        del self.marks[:until], self.parts[:until]


class Timing(StepLook):
    """Seconds of each part of an epoch, and what holds training up.

    `data`: waiting for images; `copy`: to the device; `forward`, `loss`, `backward`, `optimiser`:
    each with the callbacks that prepare it; `logging`: what is between steps and epochs, that is
    loggers, looks and checkpoints; `validation`: all of it.
    """

    order = Look.order + 10  # what other looks cost belongs to the epoch

    def __init__(self, config: Config, logger: Logger) -> None:
        super().__init__(config, logger)
        self.epochs: list[dict[str, float]] = []
        self.said = ""

    def before_fit(self) -> None:
        self.ledger = Ledger(CudaClock() if self.learn.device.type == "cuda" else HostClock())
        self.epochs, self.said = [], ""
        self.learn._set_device = self._copy
        super().before_fit()

    def after_fit(self) -> None:
        super().after_fit()
        self.learn.__dict__.pop("_set_device", None)
        self.ledger.mark("logging")
        self.rest = self.ledger.close()

    def listeners(self) -> list[Listener]:
        first = {
            "before_batch": "copy",
            "after_pred": "forward",
            "after_loss": "loss",
            "after_backward": "backward",
            "after_batch": "optimiser",
            "after_train": "data",
        }
        last = {"before_train": "logging", "after_batch": "logging", "after_validate": "validation"}
        return [self.listener(FIRST, self._marks(first)), self.listener(LAST, self._marks(last))]

    def look(self, evaluation: Evaluation) -> None:
        """Log a bar per epoch and seconds per part; say what holds training up, once."""
        self.ledger.mark("logging")
        seconds = self.ledger.close()
        self.epochs.append(seconds)
        kind, sentence = judge(seconds, self.config)
        if kind != self.said:
            print(f"time: {sentence}", flush=True)
            self.said = kind
        values = {f"time/{part}": value for part, value in seconds.items()}
        self.logger.scalars(values, **self.moment)
        self.logger.figure("time/parts", timing_figure(self.epochs, sentence), **self.moment)

    def _marks(self, parts: dict[str, str]) -> dict[str, Callable[[], None]]:
        return {event: partial(self.ledger.mark, part) for event, part in parts.items()}

    def _copy(self, batch: Any) -> Any:
        if self.learn.training:
            self.ledger.mark("data")
        return type(self.learn)._set_device(self.learn, batch)


def judge(seconds: dict[str, float], config: Config) -> tuple[str, str]:
    """Return what holds training up, as a word and as a sentence with the remedy."""
    training = sum(seconds.values()) - seconds["validation"]
    share = {part: value / max(training, 1e-9) for part, value in seconds.items()}
    if share["data"] > 0.25:
        no_more = config.data.cache or "data.cache" in foreign_keys(config)
        remedy = "more data.num_workers" if no_more else CACHE
        return "input", f"input-bound: {share['data']:.0%} of training waits for images; {remedy}"
    if share["copy"] > 0.15:
        return "copy", f"copy-bound: {share['copy']:.0%} of training copies batches; {COPY}"
    if share["logging"] > 0.15 and seconds["logging"] > NOTICED:
        return "logging", f"logging and looks take {share['logging']:.0%} of training; {LOGGING}"
    computing = sum(share[part] for part in ("forward", "loss", "backward", "optimiser"))
    return "compute", f"compute-bound: {computing:.0%} of training is the network's"


NOTICED = 10.0  # seconds an epoch below which nobody minds logging
CACHE = "more data.num_workers, data.cache=true or a smaller data.img_size"
COPY = "a smaller data.img_size"
LOGGING = "name fewer log.looks, or raise log.every"
