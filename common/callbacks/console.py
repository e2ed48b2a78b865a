"""One line per epoch, and a moving one where a person is watching."""

import sys
import time

from common.callbacks.base import Callback


class Console(Callback):
    """Print epoch, losses, metrics and seconds; on a terminal also the steps, twice a second."""

    order = 65

    def __init__(self) -> None:
        self.tty = sys.stdout.isatty()
        self.names: list[str] = []
        self.shown = 0.0

    def before_epoch(self) -> None:
        self.started = time.monotonic()

    def after_batch(self) -> None:
        now = time.monotonic()
        if not self.tty or now - self.shown < 0.5:
            return
        learn, self.shown = self.learn, now
        part = "train" if learn.training else "valid"
        rate = (learn.iter + 1) / max(now - self.started, 1e-9)
        text = f"epoch {learn.epoch + 1}/{learn.n_epoch} {part} {learn.iter + 1}/{learn.n_iter}"
        print(f"\r{text}  {rate:.1f} it/s\033[K", end="", flush=True)

    def after_epoch(self) -> None:
        scores = {"epoch": self.learn.epoch + 1, **self.learn.scores}
        scores["seconds"] = time.monotonic() - self.started
        if not self.names:
            self.names = list(scores)
            print(self._row([name.removeprefix("valid/") for name in self.names]))
        print(("\r\033[K" if self.tty else "") + self._row([scores[n] for n in self.names]))
        sys.stdout.flush()

    def _row(self, values: list) -> str:
        return "  ".join(
            f"{value:>{max(len(name), 8)}.4g}"
            if isinstance(value, float)
            else f"{value!s:>{max(len(name), 8)}}"
            for name, value in zip(self.names, values, strict=True)
        )
