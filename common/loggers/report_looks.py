"""The pictures, curves and tables of a run folder, made ready for the report."""

import base64
import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from common.figures.grid import encode_png, figure_to_image
from common.figures.lines import curve_figure, histogram_figure
from common.loggers.run_files import LOOKS, read_lines

MAX_EARLIER = 8  # pictures of earlier epochs; each weighs as much as the latest
MAX_CARDS = 48
MAX_ROWS = 100
TRUTHS = {"truth", "target", "label", "actual"}
PREDICTIONS = {"pred", "preds", "predicted", "prediction"}
NAMED = re.compile(r"(?P<name>.+)_epoch(?P<epoch>\d+(?:\.\d+)?)\.(?P<ending>jpg|png|parquet)")


def find_pictures(run_dir: Path) -> list[dict[str, Any]]:
    """Return per picture its latest state, and those of earlier epochs, evenly chosen."""
    captions = {look.get("file"): look.get("caption") for look in read_lines(run_dir / LOOKS)}
    pictures = []
    for name, files in _by_name(run_dir, {"jpg", "png"}).items():
        states = [
            {
                "epoch": f"{epoch:g}",
                "uri": data_uri(path.read_bytes(), path.suffix),
                "caption": captions.get(f"figures/{path.name}") or "",
            }
            for epoch, path in _spread(files)
        ]
        wide = _is_wide(files[-1][1].read_bytes())
        picture = {"name": _words(name), "latest": states[-1], "earlier": states[:-1], "wide": wide}
        pictures.append(picture)
    return pictures


def find_curves(run_dir: Path) -> list[dict[str, Any]]:
    """Return the latest of each curve and histogram in `looks.jsonl`, drawn."""
    latest = {
        look["name"]: look
        for look in read_lines(run_dir / LOOKS)
        if look.get("kind") in {"curve", "histogram"}
    }
    return [
        {"name": _words(name), "epoch": f"{float(look['epoch']):g}", "uri": figure_uri(_draw(look))}
        for name, look in sorted(latest.items())
    ]


def find_tables(run_dir: Path) -> list[dict[str, Any]]:
    """Return the latest of each table: as cards if it has pictures, as rows otherwise."""
    tables = []
    for name, files in _by_name(run_dir, {"parquet"}).items():
        epoch, path = files[-1]
        rows = _read_table(path)
        pictured = [key for key in (rows[0] if rows else {}) if _pictured(rows, key)]
        table: dict[str, Any] = {"name": _words(name), "epoch": f"{epoch:g}", "total": len(rows)}
        if pictured:
            table["cards"] = [_card(row, pictured) for row in rows[:MAX_CARDS]]
        else:
            table["columns"] = list(rows[0]) if rows else []
            table["rows"] = [list(row.values()) for row in rows[:MAX_ROWS]]
        tables.append(table)
    return tables


def data_uri(data: bytes, suffix: str) -> str:
    """Return the bytes of a picture file as a URI that holds them."""
    kind = "png" if suffix == ".png" else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def figure_uri(figure: Figure) -> str:
    """Return a figure as a URI that holds it, fine enough for a phone's screen."""
    figure.set_dpi(160)
    return data_uri(encode_png(figure_to_image(figure)), ".png")


def _by_name(run_dir: Path, endings: set[str]) -> dict[str, list[tuple[float, Path]]]:
    found: dict[str, list[tuple[float, Path]]] = {}
    for path in sorted((run_dir / "figures").glob("*_epoch*")):
        named = NAMED.fullmatch(path.name)
        if named and named["ending"] in endings:
            found.setdefault(named["name"], []).append((float(named["epoch"]), path))
    return {name: sorted(files) for name, files in found.items()}


def _spread(files: Sequence[tuple[float, Path]]) -> list[tuple[float, Path]]:
    if len(files) <= MAX_EARLIER + 1:
        return list(files)
    return [files[i] for i in np.linspace(0, len(files) - 1, MAX_EARLIER + 1).round().astype(int)]


def _draw(look: Mapping[str, Any]) -> Figure:
    if look["kind"] == "histogram":
        return histogram_figure(_floats(look["counts"]), _floats(look["edges"]))
    x, y = look["axes"]
    return curve_figure(_floats(look["x"]), _floats(look["y"]), (x, y))


def _floats(values: Sequence[Any]) -> np.ndarray:
    return np.array([float(value) for value in values])


def _read_table(path: Path) -> list[dict[str, Any]]:
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path).to_pylist()


def _pictured(rows: Sequence[Mapping[str, Any]], key: str) -> bool:
    return any(isinstance(row[key], bytes) for row in rows)


def _card(row: Mapping[str, Any], pictured: Sequence[str]) -> dict[str, Any]:
    """Return a row's pictures, its values and whether its prediction is right, if known."""
    truth = next((row[key] for key in row if key in TRUTHS), None)
    prediction = next((row[key] for key in row if key in PREDICTIONS), None)
    known = truth is not None and prediction is not None
    return {
        "uris": [data_uri(row[key], ".jpg") for key in pictured if row[key]],
        "right": truth == prediction if known else None,
        "values": {k: v for k, v in row.items() if k not in pictured and v is not None},
    }


def _words(name: str) -> str:
    """Return a name for people; of the splits, `valid` goes without saying."""
    words = name.replace("/", " ").replace("_", " ").removeprefix("valid ").strip()
    return words[:1].upper() + words[1:]


def _is_wide(data: bytes) -> bool:
    width, height = Image.open(io.BytesIO(data)).size
    return width > 1.5 * height
