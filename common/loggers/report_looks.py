"""The pictures, curves and tables of a run folder, as blocks of the report."""

import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from common.figures.lines import curve_figure, histogram_figure
from common.loggers.report_album import Album, fine_png
from common.loggers.report_cards import find_cards, is_pictured, over_time, read_table
from common.loggers.report_sections import TITLES
from common.loggers.run_files import LOOKS, read_lines

MAX_ROWS = 60
MAX_TEXT = 200  # characters of a cell
SAME_EVERY_EPOCH = "valid_predictions"  # the table whose rows are the same samples each time
# What another block shows better: of these the first goes if the second is there.
REPEATED = {"valid_precision_recall": "valid_curves", "valid_probability": "valid_distribution"}
NAMED = re.compile(r"(?P<name>.+)_epoch(?P<epoch>\d+(?:\.\d+)?)\.(?P<ending>jpg|png|parquet)")
Files = list[tuple[float, Path]]  # of one look: epoch and file, in order


def find_blocks(run_dir: Path, album: Album) -> list[dict[str, Any]]:
    """Return every picture, curve and table that the run folder holds, each in its latest state.

    A block has a `name`, a `title`, an `epoch` and a `kind`: figure, cards, samples or table.
    """
    pictures = _by_name(run_dir, {"jpg", "png"})
    tables = _by_name(run_dir, {"parquet"})
    lines = _latest_lines(run_dir)
    names = {*pictures, *tables, *lines}
    covered = {f"{name}_grid" for name in tables} | {
        name for name, better in REPEATED.items() if better in names
    }
    captions = {look.get("file"): look.get("caption") for look in read_lines(run_dir / LOOKS)}
    makers = {name: partial(_picture, name, pictures[name], captions) for name in pictures}
    makers |= {name: partial(_table, name, tables[name]) for name in tables}
    makers |= {name: partial(_line, name, lines[name]) for name in lines}
    shown = sorted(makers.keys() - covered)
    blocks = []
    for left, name in zip(range(len(shown), 0, -1), shown, strict=True):
        album.share_out(left)
        blocks.append(makers[name](album))
    return [block for block in blocks if block]


def _picture(name: str, files: Files, captions: Mapping[Any, Any], album: Album) -> dict[str, Any]:
    latest, path = files[-1]
    width, height = Image.open(path).size
    states = [
        {
            "epoch": f"{epoch:g}",
            "uri": album.uri(file.read_bytes(), file.suffix),
            "caption": captions.get(f"figures/{file.name}") or "",
        }
        for epoch, file in [(latest, path), *_spread(files[:-1], album.level.earlier)]
    ]
    shown = [state for state in states if state["uri"]]
    block = {"wide": width > 1.5 * height, "latest": shown[0] if shown else None}
    return {**_head(name, latest, "figure"), **block, "earlier": shown[1:]}


def _table(name: str, files: Files, album: Album) -> dict[str, Any]:
    epoch, path = files[-1]
    rows = read_table(path)
    if not rows:
        return {}
    if not any(is_pictured(rows, key) for key in rows[0]):
        cells = [[_short(value) for value in row.values()] for row in rows[:MAX_ROWS]]
        table = {"columns": list(rows[0]), "rows": cells, "total": len(rows)}
        return {**_head(name, epoch, "table"), **table}
    if name == SAME_EVERY_EPOCH and len(files) > 1:
        states = [(e, read_table(p)) for e, p in _spread(files[:-1], album.level.earlier)]
        cards = over_time([*states, (epoch, rows)], album)
        return {**_head(name, epoch, "samples"), "cards": cards}
    groups = find_cards(rows, album)
    shown = sum(len(cards) for _, cards in groups)
    return {**_head(name, epoch, "cards"), "groups": groups, "shown": shown, "total": len(rows)}


def _line(name: str, look: Mapping[str, Any], album: Album) -> dict[str, Any]:
    epoch = float(look["epoch"])
    state = {"epoch": f"{epoch:g}", "uri": album.uri(fine_png(_draw(look)), ".png"), "caption": ""}
    block: dict[str, Any] = {
        "wide": False,
        "latest": state if state["uri"] else None,
        "earlier": [],
    }
    return {**_head(name, epoch, "figure"), **block}


def _head(name: str, epoch: float, kind: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": TITLES.get(name) or words(name),
        "epoch": f"{epoch:g}",
        "kind": kind,
    }


def _by_name(run_dir: Path, endings: set[str]) -> dict[str, Files]:
    found: dict[str, Files] = {}
    for path in sorted((run_dir / "figures").glob("*_epoch*")):
        named = NAMED.fullmatch(path.name)
        if named and named["ending"] in endings:
            found.setdefault(named["name"], []).append((float(named["epoch"]), path))
    return {name: sorted(files) for name, files in found.items()}


def _latest_lines(run_dir: Path) -> dict[str, dict[str, Any]]:
    kinds = {"curve", "histogram"}
    looks = [look for look in read_lines(run_dir / LOOKS) if look.get("kind") in kinds]
    return {re.sub(r"[^\w.-]", "_", look["name"]): look for look in looks}


def _spread(files: Files, count: int) -> Files:
    """Return at most `count` of the files, evenly spread."""
    if len(files) <= count:
        return files
    return [files[i] for i in np.linspace(0, len(files) - 1, count).round().astype(int)]


def _draw(look: Mapping[str, Any]) -> Figure:
    if look["kind"] == "histogram":
        return histogram_figure(_floats(look["counts"]), _floats(look["edges"]))
    x, y = look["axes"]
    return curve_figure(_floats(look["x"]), _floats(look["y"]), (x, y))


def _floats(values: Sequence[Any]) -> np.ndarray:
    return np.array([float(value) for value in values])


def _short(value: Any) -> Any:
    """Return a value of a cell; of a long text its beginning."""
    long = isinstance(value, str) and len(value) > MAX_TEXT
    return f"{value[:MAX_TEXT]}…" if long else value


def words(name: str) -> str:
    """Return a name for people; of the splits, `valid` goes without saying."""
    said = name.replace("/", " ").replace("_", " ").removeprefix("valid ").strip()
    return said[:1].upper() + said[1:]
