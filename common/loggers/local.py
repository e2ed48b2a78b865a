"""Plain files in the run folder: the history that needs no service to be read."""

import io
import re
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from common.figures.encode import encode_jpeg, encode_png, figure_to_image
from common.figures.grid import is_image
from common.figures.lines import thin
from common.loggers.run_files import (
    LOOKS,
    METRICS,
    count_lines,
    dumps,
    open_lines,
    write_atomic,
)

CURVE_POINTS = 1000


class LocalLogger:
    """Writes into `run_dir`; nothing but a full disk can stop it.

    - `metrics.jsonl`: an object per call of `scalars`, with time (unix seconds), global_step, epoch
    - `looks.jsonl`: histograms and curves in full, and where each picture and table lies
    - `figures/`: pictures as JPEG, figures as PNG, tables as parquet with JPEG bytes for pictures;
      `<name with / as _>_epoch<e>.<ending>`
    - `hyperparameters.json`: config and final metrics

    `common.loggers.run_files` says how numbers that are not finite are written. `state` is that of
    the checkpoint a run resumes from: lines that it does not know of are cut off.
    """

    every_step = True  # a line costs a few microseconds

    def __init__(self, run_dir: Path, state: Mapping[str, Any] | None = None):
        self.run_dir = Path(run_dir)
        self._files, self._lines = {}, dict[str, int]()
        for name in (METRICS, LOOKS):
            path = self.run_dir / name
            self._files[name] = open_lines(path, (state or {}).get("lines", {}).get(name))
            self._lines[name] = count_lines(path)
        self._last: dict[str, Any] = {"global_step": 0, "epoch": 0.0}
        if state:
            self._write(METRICS, state["global_step"], state["epoch"], {"event": "resumed"})

    def scalars(self, values: Mapping[str, float], *, global_step: int, epoch: float) -> None:
        """Append one line to `metrics.jsonl`."""
        self._write(METRICS, global_step, epoch, values)

    def image(
        self, name: str, image: np.ndarray, *, global_step: int, epoch: float, caption: str = ""
    ) -> None:
        """Write a JPEG."""
        file = self._place(name, epoch, "jpg", encode_jpeg(image))
        self._look("image", name, global_step, epoch, file=file, caption=caption)

    def figure(
        self, name: str, figure: Figure | np.ndarray, *, global_step: int, epoch: float
    ) -> None:
        """Write a PNG."""
        file = self._place(name, epoch, "png", encode_png(figure_to_image(figure)))
        self._look("figure", name, global_step, epoch, file=file)

    def histogram(
        self, name: str, counts: np.ndarray, edges: np.ndarray, *, global_step: int, epoch: float
    ) -> None:
        """Append the histogram to `looks.jsonl`."""
        self._look("histogram", name, global_step, epoch, counts=counts, edges=edges)

    def table(
        self, name: str, rows: Sequence[Mapping[str, Any]], *, global_step: int, epoch: float
    ) -> None:
        """Write a parquet file whose pictures are JPEG bytes."""
        file = self._place(name, epoch, "parquet", _parquet(rows))
        self._look("table", name, global_step, epoch, file=file)

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
        """Append the line to `looks.jsonl`, thinned to 1000 points."""
        x, y = thin(np.asarray(x), np.asarray(y), CURVE_POINTS)
        self._look("curve", name, global_step, epoch, x=x, y=y, axes=axes)

    def hyperparameters(self, config: Mapping[str, Any], metrics: Mapping[str, float]) -> None:
        """Write `hyperparameters.json`."""
        text = dumps({"config": config, "metrics": metrics}, indent=2)
        write_atomic(self.run_dir / "hyperparameters.json", text.encode())

    def artifact(self, name: str, path: Path, kind: str) -> None:
        """Copy the file to `artifacts/`, unless it lies in the run folder already."""
        if not Path(path).resolve().is_relative_to(self.run_dir.resolve()):
            target = self.run_dir / "artifacts" / Path(path).name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)

    def state(self) -> dict[str, Any]:
        """Return the step and epoch of the last line, and how many lines each file has."""
        return {**self._last, "lines": dict(self._lines)}

    def finish(self, status: str = "finished") -> None:
        """Close the files."""
        for file in self._files.values():
            file.close()

    def _write(self, name: str, global_step: int, epoch: float, values: Mapping[str, Any]) -> None:
        self._last = {"global_step": global_step, "epoch": epoch}
        line = dumps({"time": round(time.time(), 3), **self._last, **values}) + "\n"
        self._files[name].write(line)
        self._lines[name] += 1

    def _look(self, kind: str, name: str, global_step: int, epoch: float, **values: Any) -> None:
        self._write(LOOKS, global_step, epoch, {"kind": kind, "name": name, **values})

    def _place(self, name: str, epoch: float, ending: str, data: bytes) -> str:
        safe = re.sub(r"[^\w.-]", "_", name)
        file = Path("figures", f"{safe}_epoch{epoch:g}.{ending}")
        write_atomic(self.run_dir / file, data)
        return file.as_posix()


def _parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    import pyarrow
    import pyarrow.parquet

    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: _column([row.get(name) for row in rows]) for name in names}
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(columns), buffer)
    return buffer.getvalue()


def _column(values: list[Any]) -> list[Any]:
    """Return values of one type: JPEG bytes, numbers, or text where types are mixed."""
    if any(is_image(value) for value in values):
        return [encode_jpeg(value) if is_image(value) else None for value in values]
    plain = [value.item() if isinstance(value, np.generic) else value for value in values]
    kinds = {type(value) for value in plain if value is not None}
    if kinds <= {int, float} or (len(kinds) == 1 and kinds <= {bool, str}):
        return [float(v) if float in kinds and v is not None else v for v in plain]
    return [None if value is None else str(value) for value in plain]
