"""A logger that only remembers: the fake at the seam, for tests."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure


class Call(NamedTuple):
    """One call of a verb with everything it was given."""

    verb: str
    given: dict[str, Any]


class RecordingLogger:
    """Keeps every call in `calls`; `of(verb)` and `values(name)` look things up."""

    every_step = True

    def __init__(self, state: Mapping[str, Any] | None = None):
        self.calls: list[Call] = []
        self._state = dict(state or {})

    def of(self, verb: str, name: str | None = None) -> list[dict[str, Any]]:
        """Return what was given to a verb, in order, optionally only under one name."""
        found = [call.given for call in self.calls if call.verb == verb]
        return [given for given in found if name is None or given.get("name") == name]

    def values(self, name: str) -> list[tuple[int, float]]:
        """Return `(global_step, value)` of each time a scalar was logged."""
        rows = self.of("scalars")
        return [(r["global_step"], r["values"][name]) for r in rows if name in r["values"]]

    def scalars(self, values: Mapping[str, float], *, global_step: int, epoch: float) -> None:
        """Remember a call of `scalars`."""
        self._keep("scalars", values=dict(values), global_step=global_step, epoch=epoch)

    def image(
        self, name: str, image: np.ndarray, *, global_step: int, epoch: float, caption: str = ""
    ) -> None:
        """Remember a call of `image`."""
        when = {"global_step": global_step, "epoch": epoch}
        self._keep("image", name=name, image=image, caption=caption, **when)

    def figure(
        self, name: str, figure: Figure | np.ndarray, *, global_step: int, epoch: float
    ) -> None:
        """Remember a call of `figure`."""
        self._keep("figure", name=name, figure=figure, global_step=global_step, epoch=epoch)

    def histogram(
        self, name: str, counts: np.ndarray, edges: np.ndarray, *, global_step: int, epoch: float
    ) -> None:
        """Remember a call of `histogram`."""
        when = {"global_step": global_step, "epoch": epoch}
        self._keep("histogram", name=name, counts=counts, edges=edges, **when)

    def table(
        self, name: str, rows: Sequence[Mapping[str, Any]], *, global_step: int, epoch: float
    ) -> None:
        """Remember a call of `table`."""
        kept = [dict(row) for row in rows]
        self._keep("table", name=name, rows=kept, global_step=global_step, epoch=epoch)

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
        """Remember a call of `curve`."""
        when = {"global_step": global_step, "epoch": epoch}
        self._keep("curve", name=name, x=x, y=y, axes=axes, counts=counts, **when)

    def hyperparameters(self, config: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        """Remember a call of `hyperparameters`."""
        self._keep("hyperparameters", config=dict(config), metrics=dict(metrics))

    def artifact(self, name: str, path: Path, kind: str) -> None:
        """Remember a call of `artifact`."""
        self._keep("artifact", name=name, path=path, kind=kind)

    def state(self) -> dict[str, Any]:
        """Return the state it was made with."""
        return dict(self._state)

    def finish(self, status: str = "finished") -> None:
        """Remember a call of `finish`."""
        self._keep("finish", status=status)

    def _keep(self, verb: str, **given: Any) -> None:
        self.calls.append(Call(verb, given))
