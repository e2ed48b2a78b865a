"""Event dispatch that costs nothing for callbacks that do not listen."""

from collections.abc import Callable
from typing import Any

from fastai.callback.core import Callback
from fastai.learner import Learner

INNER = frozenset(
    [
        *("before_batch", "after_pred", "after_loss", "before_backward"),
        *("after_cancel_backward", "after_backward", "before_step", "after_cancel_step"),
        *("after_step", "after_cancel_batch", "after_batch"),
    ]
)


class DispatchLearner(Learner):
    """A fastai Learner that keeps a table event -> listening handlers.

    Stock fastai sorts all callbacks and offers each event to every one of them, 75 us per callback
    and step. The meaning of `order`, `run`, `run_train` and `run_valid` is unchanged; an exception
    leaves a handler as it was raised, with a note that names callback and event.
    """

    def __call__(self, event_name: Any) -> None:
        """Run the handlers of an event, or of several."""
        if isinstance(event_name, str):
            self._call_one(event_name)
            return
        for name in event_name:
            self._call_one(name)

    def _call_one(self, event_name: str) -> None:
        inner, training = event_name in INNER, self.training
        for callback, handler in self._handlers(event_name):
            listens = not inner or (callback.run_train if training else callback.run_valid)
            if listens and callback.run:
                try:
                    handler()
                except Exception as error:
                    _note(error, f"in {type(callback).__name__}.{event_name}")
                    raise
        if event_name == "after_fit":
            for callback in self.cbs:
                callback.run = True

    def add_cb(self, cb: Any) -> "DispatchLearner":
        """Add a callback, or a class of one."""
        self.__dict__["_table"] = {}
        return super().add_cb(cb)

    def remove_cb(self, cb: Any) -> "DispatchLearner":
        """Remove a callback, or all of a class."""
        self.__dict__["_table"] = {}
        return super().remove_cb(cb)

    def _handlers(self, event_name: str) -> list[tuple[Callback, Callable[[], Any]]]:
        table = self.__dict__.setdefault("_table", {})
        if event_name not in table:
            table[event_name] = [
                (callback, getattr(callback, event_name))
                for callback in sorted(self.cbs, key=lambda callback: callback.order)
                if event_name in callback.__dict__ or hasattr(type(callback), event_name)
            ]
        return table[event_name]


def _note(error: Exception, note: str) -> None:
    if note not in getattr(error, "__notes__", []):
        error.add_note(note)
