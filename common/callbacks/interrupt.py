"""Stops between two steps, on Ctrl-C, SIGTERM or at a time limit, so that nothing is half done."""

import signal
import time
from typing import Any

from fastai.callback.core import CancelFitException

from common.callbacks.base import Callback

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt(Callback):
    """End the fit after the current step; `learn.interrupted` then says why.

    The first signal asks, the second one kills as usual.

    Args:
        time_limit: seconds from the start of the fit; 0 = none.
    """

    order = 90

    def __init__(self, time_limit: float = 0) -> None:
        self.time_limit = time_limit

    def before_fit(self) -> None:
        self.learn.interrupted = ""
        self.started, self.asked = time.monotonic(), ""
        self.handlers: dict[int, Any] = {}
        for number in SIGNALS:
            try:
                self.handlers[number] = signal.signal(number, self._ask)
            except ValueError:  # not the main thread: signals stay with whoever runs us
                break

    def after_batch(self) -> None:
        if self.time_limit and time.monotonic() - self.started > self.time_limit:
            self.asked = f"time limit of {self.time_limit:g} s"
        if self.asked and self.learn.training:
            self.learn.interrupted = self.asked
            raise CancelFitException()

    def after_fit(self) -> None:
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        self.handlers = {}

    def _ask(self, number: int, frame: Any) -> None:
        self.asked = signal.Signals(number).name
        print(f"\n{self.asked}: saving after this step; once more stops at once", flush=True)
        signal.signal(number, self.handlers[number])
