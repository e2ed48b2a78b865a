"""Stops between two steps, on Ctrl-C, SIGTERM or at a time limit, so that nothing is half done."""

import signal
from typing import Any

from fastai.callback.core import CancelFitException

from common import distributed
from common.callbacks.accumulate import batches_of, step_is_whole
from common.callbacks.base import Callback
from common.callbacks.swa import Swa
from common.session import NORMS, SAVE, STEP, VALIDATION, Session

SIGNALS = (signal.SIGINT, signal.SIGTERM)
ECHO = 5.0  # seconds in which a launcher passes on what a cluster has told every process already


class Interrupt(Callback):
    """End the fit after the current batch; `learn.interrupted` then says why.

    The first signal asks, the second one kills as usual. A session that has a time limit ends
    before it: there has to be time for the next step, for the validation after the last one of an
    epoch, and for saving, each as long as the longest so far and once more.

    Of several processes all stop at the same step, whichever was told to; in a validation none. A
    second signal is then one that comes `ECHO` later.

    Args:
        session: has the time limit, and knows what takes how long.
    """

    order = 90

    def __init__(self, session: Session | None = None) -> None:
        self.session = session or Session()
        self.handlers: dict[int, Any] = {}
        self.told: dict[int, float] = {}  # when each signal came first

    def before_fit(self) -> None:
        self.learn.interrupted, self.asked, self.moved, self.told = "", "", False, {}
        self.last = self.validating = self.session.now()
        self.release()  # of a fit that broke, or its handlers would be taken for the earlier ones
        for number in SIGNALS:
            try:
                self.handlers[number] = signal.signal(number, self._ask)
            except ValueError:  # not the main thread: signals stay with whoever runs us
                break

    def before_epoch(self) -> None:
        if self.moved:  # every session does a step, whatever its limit
            self._stop_if_due(STEP, SAVE)

    def before_train(self) -> None:
        self.last = self.began = self.session.now()

    def before_validate(self) -> None:
        self.last = self.validating = self.session.now()

    def after_batch(self) -> None:
        now = self.session.now()
        self.session.took(STEP, now - self.last)
        self.last, self.moved = now, True
        if not (self.session.hours or self.asked or distributed.size() > 1):
            return
        if distributed.size() == 1 or self._all_are_here():
            self._stop_if_due(*self._ahead())

    def after_epoch(self) -> None:
        self.session.took(VALIDATION, self.session.now() - self.validating)

    def after_fit(self) -> None:
        if distributed.size() == 1 or not self.told:  # else an echo may come while all is summed up
            self.release()

    def release(self) -> None:
        """Give the signals back."""
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        self.handlers = {}

    def saved_state(self) -> dict[str, float]:
        return dict(self.session.longest)

    def restore_state(self, state: dict[str, float]) -> None:
        """Take the times of another session as a first guess."""
        self.session.longest = dict(state)

    def _all_are_here(self) -> bool:
        """Return whether every process is behind this same batch, and no step is half done."""
        return self.learn.training and step_is_whole(self.learn, batches_of(self.learn))

    def _ahead(self) -> tuple[str, ...]:
        learn = self.learn
        if not learn.training or learn.iter + 1 < learn.n_iter:
            return STEP, SAVE
        if VALIDATION not in self.session.longest:  # a forward pass takes no longer than a step
            self.session.took(VALIDATION, len(learn.dls.valid) * self.session.longest[STEP])
        if any(isinstance(cb, Swa) and cb.is_due for cb in learn.cbs):
            done = learn.n_iter - self.learn.first_batch  # a forward pass takes no longer
            self.session.longest[NORMS] = (self.last - self.began) * learn.n_iter / done
            return NORMS, VALIDATION, SAVE
        return VALIDATION, SAVE

    def _stop_if_due(self, *ahead: str) -> None:
        if self.session.is_over(*ahead):
            self.asked = self.asked or f"time limit of {self.session.hours:g} h"
        if distributed.any_of(bool(self.asked)):
            reasons = filter(None, distributed.gather(self.asked))
            self.learn.settle()
            self.learn.interrupted = next(reasons)
            raise CancelFitException()

    def _ask(self, number: int, frame: Any) -> None:
        if number in self.told:
            self._stop_at_once(number)
            return
        self.told[number] = self.session.now()
        self.asked = signal.Signals(number).name
        print(f"\n{self.asked}: saving after this step; once more stops at once", flush=True)
        if distributed.size() == 1:
            signal.signal(number, self.handlers.get(number, signal.SIG_DFL))

    def _stop_at_once(self, number: int) -> None:
        if self.session.now() - self.told[number] > ECHO:
            signal.signal(number, self.handlers.get(number, signal.SIG_DFL))
            signal.raise_signal(number)
