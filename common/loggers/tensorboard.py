"""TensorBoard: the local viewer; the only file that imports it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from common.figures.encode import encode_jpeg, figure_to_image
from common.figures.grid import format_value, is_image, row_title, sample_grid, thumbnail
from common.figures.lines import curve_figure

TABLE_ROWS = 200  # more make the text panel unusable
TABLE_PICTURES = 64
PICTURE_SIZE = 224  # pixels


class TensorBoardLogger:
    """Writes events to `run_dir/tensorboard`; `state` is that of the checkpoint a run resumes from.

    Every axis is `global_step`. On resume, events beyond the checkpoint's step are purged by the
    viewer, so that no point stands twice.
    """

    every_step = False  # TensorBoard thins to 1000 points per line anyway

    def __init__(self, run_dir: Path, state: Mapping[str, Any] | None = None):
        from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
        from torch.utils.tensorboard import SummaryWriter

        self._summary, self._metadata = Summary, SummaryMetadata
        self._last = int(state["global_step"]) if state else 0
        self._writer = SummaryWriter(
            str(Path(run_dir) / "tensorboard"),
            purge_step=self._last + 1 if state else None,
            flush_secs=15,  # what a kill may cost
        )

    def scalars(self, values: Mapping[str, float], *, global_step: int, epoch: float) -> None:
        """Write all values as one event, and the epoch with them."""
        given = {**values, "epoch": epoch}
        self._add(
            [self._summary.Value(tag=k, simple_value=v) for k, v in given.items()], global_step
        )

    def image(
        self, name: str, image: np.ndarray, *, global_step: int, epoch: float, caption: str = ""
    ) -> None:
        """Write a picture as JPEG, the caption as its description."""
        height, width, _ = image.shape
        picture = self._summary.Image(
            height=height, width=width, colorspace=3, encoded_image_string=encode_jpeg(image)
        )
        about = self._metadata(summary_description=caption)
        self._add([self._summary.Value(tag=name, image=picture, metadata=about)], global_step)

    def figure(
        self, name: str, figure: Figure | np.ndarray, *, global_step: int, epoch: float
    ) -> None:
        """Write a figure as a picture."""
        self.image(name, figure_to_image(figure), global_step=global_step, epoch=epoch)

    def histogram(
        self, name: str, counts: np.ndarray, edges: np.ndarray, *, global_step: int, epoch: float
    ) -> None:
        """Write a histogram; its moments are those of the bins' centres."""
        centres = (edges[:-1] + edges[1:]) / 2
        self._writer.add_histogram_raw(
            name,
            min=float(edges[0]),
            max=float(edges[-1]),
            num=float(counts.sum()),
            sum=float(counts @ centres),
            sum_squares=float(counts @ centres**2),
            bucket_limits=edges[1:].tolist(),
            bucket_counts=counts.tolist(),
            global_step=global_step,
        )

    def table(
        self, name: str, rows: Sequence[Mapping[str, Any]], *, global_step: int, epoch: float
    ) -> None:
        """Write a markdown text, and one grid of titled pictures per column that holds pictures."""
        names = list(dict.fromkeys(key for row in rows for key in row))
        pictured = [key for key in names if any(is_image(row.get(key)) for row in rows)]
        for key in pictured:
            found = [row for row in rows if is_image(row.get(key))][:TABLE_PICTURES]
            small = [thumbnail(row[key], PICTURE_SIZE) for row in found]
            grid = sample_grid(small, [row_title(row) for row in found])
            self.image(f"{name}/{key}", grid, global_step=global_step, epoch=epoch)
        text = _markdown([key for key in names if key not in pictured], rows[:TABLE_ROWS])
        self._writer.add_text(name, text, global_step)

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
        """Write the line as a figure, or for its own panel of precision-recall curves."""
        if counts is not None:
            self._precision_recall(name, np.asarray(counts), global_step)
            return
        figure = curve_figure(x, y, axes, name)
        self.figure(name, figure, global_step=global_step, epoch=epoch)

    def hyperparameters(self, config: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        """Write the config by dotted names, and the metrics as `final/<name>`."""
        self._writer.add_hparams(
            _flat(config),
            {f"final/{name}": float(value) for name, value in metrics.items()},
            run_name=".",  # otherwise it opens a run of its own, named by the time
            global_step=self._last,
        )

    def artifact(self, name: str, path: Path, kind: str) -> None:
        """Do nothing: TensorBoard keeps no files."""

    def state(self) -> dict[str, Any]:
        """Return the last step written."""
        return {"global_step": self._last}

    def finish(self, status: str = "finished") -> None:
        """Write what is still queued and close."""
        self._writer.close()

    def _precision_recall(self, name: str, counts: np.ndarray, global_step: int) -> None:
        hits, alarms, misses, rest = counts.T
        self._writer.add_pr_curve_raw(
            name,
            hits,
            alarms,
            rest,
            misses,
            hits / np.maximum(hits + alarms, 1),
            hits / np.maximum(hits + misses, 1),
            global_step=global_step,
            num_thresholds=len(counts),
        )
        self._last = max(self._last, global_step)

    def _add(self, values: Sequence[Any], global_step: int) -> None:
        self._last = max(self._last, global_step)
        summary = self._summary(value=values)
        self._writer._get_file_writer().add_summary(summary, global_step)


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, int | float | str | bool]:
    flat: dict[str, int | float | str | bool] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = (
                value if isinstance(value, int | float | str | bool) else str(value)
            )
    return flat


def _markdown(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    cells = [[format_value(row.get(name)) for name in names] for row in rows]
    lines = [names, ["---"] * len(names), *cells]
    return "\n".join(
        "| " + " | ".join(c.replace("|", "\\|") for c in line) + " |" for line in lines
    )
