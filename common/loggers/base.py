"""What every logger can do: the seam between callbacks that select and files that keep."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from matplotlib.figure import Figure


class Logger(Protocol):
    """Takes numbers and finished pictures; knows neither a model nor a competition.

    Names are `split/name`. Two axes exist: `global_step` (training batches so far) and `epoch`
    (1 after the first).
    A logger never sees a tensor: scalars are Python numbers, images `(H, W, 3)` uint8 arrays.
    """

    def scalars(self, values: Mapping[str, float], *, global_step: int, epoch: float) -> None:
        """Log numbers that belong to one moment in one call."""

    def image(
        self, name: str, image: np.ndarray, *, global_step: int, epoch: float, caption: str = ""
    ) -> None:
        """Log one `(H, W, 3)` uint8 picture."""

    def figure(
        self, name: str, figure: Figure | np.ndarray, *, global_step: int, epoch: float
    ) -> None:
        """Log a figure, or what was drawn: `(H, W, 3)` uint8 with lines and words to keep sharp."""

    def histogram(
        self, name: str, counts: np.ndarray, edges: np.ndarray, *, global_step: int, epoch: float
    ) -> None:
        """Log a finished histogram: `(B,)` counts over `(B + 1,)` edges."""

    def table(
        self, name: str, rows: Sequence[Mapping[str, Any]], *, global_step: int, epoch: float
    ) -> None:
        """Log rows of named values; a `(H, W, 3)` uint8 array is shown as a picture."""

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
        """Log a line of `(P,)` points, with the names of its two axes.

        A precision-recall line may bring `(T, 4)` counts of true positives, false positives, false
        negatives and true negatives at T thresholds, evenly from 0 to 1.
        """

    def hyperparameters(self, config: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        """Log the resolved config beside the final metrics, so that runs can be compared."""

    def artifact(self, name: str, path: Path, kind: str) -> None:
        """Keep a file (checkpoint, out-of-fold predictions) with the run."""

    def state(self) -> dict[str, Any]:
        """Return what a resumed run needs to go on in the same place (plain values)."""

    def finish(self, status: str = "finished") -> None:
        """Flush and close; `status` is finished, interrupted or failed."""
