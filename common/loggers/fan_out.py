"""One logger in front of many: what breaks is reported once and left behind, the run goes on."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from common.errors import KitError
from common.figures.grid import check_image
from common.loggers.base import Logger

Row = tuple[Mapping[str, float], int, float]  # values, global_step, epoch


class FanOut:
    """Passes every call to all loggers.

    A logger that raises is named on stderr, once, and gets nothing more; the others still get the
    call. A value that no logger could take (a scalar that is no number, an image that is not uint8)
    is reported once and left out. With `strict` both raise instead. Numpy scalars and 0-d tensors
    become Python floats here, NaN and infinity stay what they are.
    """

    def __init__(self, loggers: Iterable[Logger], strict: bool = False):
        self.strict = strict
        self.loggers: dict[str, Logger] = {}
        self.dropped: dict[str, str] = {}
        self._states: dict[str, dict[str, Any]] = {}
        self._reported: set[str] = set()
        for logger in loggers:
            name = type(logger).__name__.removesuffix("Logger").lower()
            self.loggers[f"{name}{len(self.loggers)}" if name in self.loggers else name] = logger

    def scalars(self, values: Mapping[str, Any], *, global_step: int, epoch: float) -> None:
        """Log numbers that belong to one moment in one call."""
        numbers = self._numbers(values)
        if numbers:
            self._all("scalars", numbers, global_step=int(global_step), epoch=float(epoch))

    def window(self, rows: Sequence[Row]) -> None:
        """Log the rows of several steps: each one where a row is cheap, elsewhere their mean.

        A logger says by `every_step = True` that it wants each; the mean, of every name over the
        rows that have it, stands at the last row's step.
        """
        rows = [(self._numbers(v), int(step), float(epoch)) for v, step, epoch in rows]
        if not rows:
            return
        mean = _mean([values for values, _, _ in rows])
        for name, logger in list(self.loggers.items()):
            each = getattr(logger, "every_step", False)
            for values, step, epoch in rows if each else [(mean, *rows[-1][1:])]:
                self._one(name, "scalars", (values,), {"global_step": step, "epoch": epoch})

    def image(
        self, name: str, image: np.ndarray, *, global_step: int, epoch: float, caption: str = ""
    ) -> None:
        """Log one `(H, W, 3)` uint8 picture."""
        if self._is_image(image, f"image '{name}'", name):
            when = {"global_step": global_step, "epoch": epoch}
            self._all("image", name, image, caption=caption, **when)

    def figure(
        self, name: str, figure: Figure | np.ndarray, *, global_step: int, epoch: float
    ) -> None:
        """Log a figure, or the `(H, W, 3)` uint8 pixels of one."""
        if isinstance(figure, Figure) or self._is_image(figure, f"figure '{name}'", name):
            self._all("figure", name, figure, global_step=global_step, epoch=epoch)

    def histogram(
        self, name: str, counts: np.ndarray, edges: np.ndarray, *, global_step: int, epoch: float
    ) -> None:
        """Log a finished histogram: `(B,)` counts over `(B + 1,)` edges."""
        counts, edges = np.asarray(counts), np.asarray(edges)
        if counts.ndim != 1 or edges.shape != (len(counts) + 1,):
            shapes = f"{counts.shape} counts over {edges.shape} edges"
            self._leave_out(
                name, KitError(f"expected (B,) counts over (B + 1,) edges, got {shapes}")
            )
            return
        self._all("histogram", name, counts, edges, global_step=global_step, epoch=epoch)

    def table(
        self, name: str, rows: Sequence[Mapping[str, Any]], *, global_step: int, epoch: float
    ) -> None:
        """Log rows of named values; an empty table is not logged."""
        if rows:
            self._all("table", name, rows, global_step=global_step, epoch=epoch)

    def curve(
        self,
        name: str,
        x: np.ndarray,
        y: np.ndarray,
        *,
        axes: tuple[str, str],
        global_step: int,
        epoch: float,
        counts: np.ndarray | None = None,
    ) -> None:
        """Log a line of `(P,)` points, with the names of its two axes."""
        when = {"global_step": global_step, "epoch": epoch}
        self._all("curve", name, x, y, axes=axes, counts=counts, **when)

    def hyperparameters(self, config: Mapping[str, Any], metrics: Mapping[str, Any]) -> None:
        """Log the resolved config beside the final metrics."""
        self._all("hyperparameters", config, self._numbers(metrics))

    def artifact(self, name: str, path: Path, kind: str) -> None:
        """Keep a file with the run."""
        self._all("artifact", name, Path(path), kind)

    def state(self) -> dict[str, Any]:
        """Return each logger's state by its name; for a dropped one the last it gave."""
        for name in list(self.loggers):
            found = self._one(name, "state", (), {})
            if name in self.loggers:
                self._states[name] = found
        return dict(self._states)

    def finish(self, status: str = "finished") -> None:
        """Flush and close all."""
        self._all("finish", status)

    def _all(self, verb: str, *args: Any, **kwargs: Any) -> None:
        for name in list(self.loggers):
            self._one(name, verb, args, kwargs)

    def _one(self, name: str, verb: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if name not in self.loggers:  # dropped by an earlier row of the same window
            return None
        try:
            return getattr(self.loggers[name], verb)(*args, **kwargs)
        except Exception as error:
            if self.strict:
                raise
            del self.loggers[name]
            self.dropped[name] = f"{verb} raised {type(error).__name__}: {error}"
            report(f"logger '{name}' failed: {self.dropped[name]}; it gets nothing more")
            return None

    def _numbers(self, values: Mapping[str, Any]) -> dict[str, float]:
        numbers = {}
        for name, value in values.items():
            try:
                # A tensor with a gradient warns when it is read as it is.
                value = value.detach() if hasattr(value, "detach") else value
                numbers[name] = float(value)
            except (TypeError, ValueError, RuntimeError):
                got = f"{type(value).__name__} {value!r:.80}"
                self._leave_out(name, KitError(f"expected a number for '{name}', got {got}"))
        return numbers

    def _is_image(self, image: Any, what: str, name: str) -> bool:
        try:
            check_image(image, what)
        except KitError as error:
            self._leave_out(name, error)
            return False
        return True

    def _leave_out(self, name: str, error: KitError) -> None:
        if self.strict:
            raise error
        if name not in self._reported:
            self._reported.add(name)
            report(f"'{name}' is not logged: {error}")


def report(message: str) -> None:
    """Say on stderr, so that nobody can miss it, that logging is not complete."""
    print(f"LOGGING: {message}; training goes on", file=sys.stderr, flush=True)


def _mean(rows: Sequence[Mapping[str, float]]) -> dict[str, float]:
    columns: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return {name: sum(values) / len(values) for name, values in columns.items()}
