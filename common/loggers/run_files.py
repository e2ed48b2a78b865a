"""The files of a run folder: whole files replaced in one move, JSON lines that survive a kill.

JSON knows neither NaN nor infinity, so they are written as the strings "NaN", "Infinity" and
"-Infinity", which `float()` (and `Number()` in JavaScript) turns back into the number.
"""

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

METRICS = "metrics.jsonl"
LOOKS = "looks.jsonl"
LINE = json.JSONEncoder(allow_nan=False)  # made once: making one costs as much as using it
NOT_FINITE = {"NaN", "Infinity", "-Infinity"}


def dumps(value: Any, indent: int | None = None) -> str:
    """Return strict JSON; arrays become lists, paths and other objects text."""
    encoder = LINE if indent is None else json.JSONEncoder(allow_nan=False, indent=indent)
    try:
        return encoder.encode(value)
    except (ValueError, TypeError):
        return encoder.encode(_spelt_out(value))


def write_atomic(path: Path, data: bytes) -> Path:
    """Write a whole file so that a reader sees the old one or the new one, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        half.write_bytes(data)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)
    return path


def open_lines(path: Path, keep: int | None = None) -> TextIO:
    """Open a file of JSON lines for appending, flushed per line; a half-written last line goes.

    Args:
        keep: how many of its lines stay, for what a checkpoint does not know is logged anew.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_file():
        _mend(path)
        if keep is not None:
            write_atomic(path, b"".join(path.read_bytes().splitlines(keepends=True)[:keep]))
    return path.open("a", encoding="utf-8", buffering=1, newline="\n")


def count_lines(path: Path) -> int:
    """Return how many whole lines a file has."""
    return path.read_bytes().count(b"\n") if path.is_file() else 0


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file of JSON lines; no file is no lines, a torn line is skipped."""
    if not path.is_file():
        return []
    parsed = (_parse(line) for line in path.read_bytes().splitlines())
    return [row for row in parsed if row is not None]


def read_metrics(run_dir: Path) -> list[dict[str, float]]:
    """Return the rows of `metrics.jsonl` in order, as floats (NaN and infinities restored).

    Where a run was resumed from an earlier step, the rows beyond that step are left out: the
    resumed run has logged them anew.
    """
    rows: list[dict[str, float]] = []
    for row in read_lines(run_dir / METRICS):
        if row.pop("event", None) == "resumed":
            rows = [kept for kept in rows if kept["global_step"] <= row["global_step"]]
        elif "global_step" in row:
            rows.append({name: float(value) for name, value in row.items() if _is_number(value)})
    return rows


def _mend(path: Path) -> None:
    data = path.read_bytes()
    if not data or data.endswith(b"\n"):
        return
    start = data.rfind(b"\n") + 1
    with path.open("r+b") as file:
        if _parse(data[start:]) is None:
            file.truncate(start)
        else:  # only the line end was lost
            file.seek(0, os.SEEK_END)
            file.write(b"\n")


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        row = json.loads(line)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) or (isinstance(value, str) and value in NOT_FINITE)


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value)


def _spelt_out(value: Any) -> Any:
    """Return `value` with every number that is not finite as its name."""
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {key: _spelt_out(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_spelt_out(item) for item in value]
    if value is None or isinstance(value, str | int):
        return value
    return _spelt_out(_plain(value))
