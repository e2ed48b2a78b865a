"""What a person sees of a training: a line per epoch, and how far the present one is."""

import time
from collections.abc import Callable, Sequence
from typing import Any

from common.callbacks.base import Callback
from common.callbacks.screens import Screen, find_screen

BAR = 20  # characters


class Console(Callback):
    """One line per epoch: losses, metrics and seconds; within an epoch rate and time left.

    Args:
        screen: where the line within an epoch is shown; by default what fits standard output.
        clock: gives seconds.
    """

    order = 65

    def __init__(
        self, screen: Screen | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.screen, self.clock = screen or find_screen(), clock
        self.names: list[str] = []

    def before_fit(self) -> None:
        self.spoke = self.clock()

    def before_epoch(self) -> None:
        self.started = self.clock()

    def before_train(self) -> None:
        self._begin(self.learn.first_batch)

    def before_validate(self) -> None:
        self._begin(0)

    def after_batch(self) -> None:
        now = self.clock()
        if now - self.spoke >= self.screen.every:
            self.spoke = now
            self.screen.show(self._progress(now))

    def after_epoch(self) -> None:
        scores = {"epoch": self.learn.epoch + 1, **self.learn.scores}
        scores["seconds"] = self.clock() - self.started
        self.screen.wipe()
        if not self.names:
            self.names = list(scores)
            print(self._row([name.removeprefix("valid/") for name in self.names]))
        print(self._row([scores.get(name, float("nan")) for name in self.names]), flush=True)
        self.spoke = self.clock()

    def after_fit(self) -> None:
        self.screen.wipe()

    def _begin(self, done: int) -> None:
        """Begin training or validation, of which so many batches are done by an earlier session."""
        self.part_started, self.done = self.clock(), done

    def _progress(self, now: float) -> str:
        learn = self.learn
        part = "train" if learn.training else "valid"
        done, total = learn.iter + 1, learn.n_iter
        rate = (done - self.done) / max(now - self.part_started, 1e-9)
        where = f"epoch {learn.epoch + 1}/{learn.n_epoch} {part} {bar(done / total)} {done}/{total}"
        return f"{where}, {pace(rate)}, {span((total - done) / max(rate, 1e-9))} left"

    def _row(self, values: Sequence[Any]) -> str:
        return "  ".join(
            f"{value:>{max(len(name), 8)}.4g}"
            if isinstance(value, float)
            else f"{value!s:>{max(len(name), 8)}}"
            for name, value in zip(self.names, values, strict=True)
        )


def bar(share: float) -> str:
    """Return a bar that is filled by that share."""
    filled = round(BAR * min(max(share, 0.0), 1.0))
    return "#" * filled + "." * (BAR - filled)


def pace(rate: float) -> str:
    """Write batches per second, or seconds per batch where these are more than one."""
    return f"{rate:.1f} batches/s" if rate >= 1 else f"{1 / max(rate, 1e-9):.1f} s/batch"


def span(seconds: float) -> str:
    """Write a time as 42 s, 3:07 min or 2:15 h."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, seconds = divmod(whole, 60)
    return f"{minutes}:{seconds:02} min" if minutes < 60 else f"{minutes // 60}:{minutes % 60:02} h"
