"""Looks that also listen to the events of training steps, each at its own place in the order."""

from collections.abc import Callable, Mapping
from typing import Any

from common.callbacks.base import Callback
from common.callbacks.looks.base import Look
from common.config import Config
from common.loggers.base import Logger

Handler = Callable[[], None]


class Listener(Callback):
    """Handlers of a look that take part in training batches, at an order of their own."""

    run_valid = False

    def __init__(self, order: float, handlers: Mapping[str, Handler]) -> None:
        self.order = order
        self.__dict__.update(handlers)


class StepLook(Look):
    """A look with listeners, which are there while fitting only.

    A listener that fails leaves its look out, as a look that fails does.
    """

    def __init__(self, config: Config, logger: Logger) -> None:
        super().__init__(config, logger)
        self.present: list[Listener] = []

    def listeners(self) -> list[Listener]:
        """Return the listeners of a fit that begins."""
        return []

    def before_fit(self) -> None:
        self._dismiss()  # those of a fit that ended by an error
        if not self.failed:
            self.present = self.listeners()
            self.learn.add_cbs(self.present)

    def after_fit(self) -> None:
        self._dismiss()

    def listener(self, order: float, handlers: Mapping[str, Handler]) -> Listener:
        """Return a listener whose errors do not stop training."""
        return Listener(order, {name: self.guard(call) for name, call in handlers.items()})

    def give_up(self, error: Exception) -> None:
        super().give_up(error)
        for listener in self.present:
            listener.run = False

    def guard(self, handler: Handler) -> Handler:
        """Return the handler without its errors: they leave the look out."""

        def guarded() -> Any:
            try:
                handler()
            except Exception as error:
                self.give_up(error)

        return guarded

    def _dismiss(self) -> None:
        for listener in self.present:
            self.learn.remove_cb(listener)
        self.present = []
