"""One page about one run, from the files of its folder; it opens without network or server."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from common.figures.grid import format_value
from common.figures.history import by_epoch, history_figure
from common.loggers.report_album import LEVELS, Album, fine_png
from common.loggers.report_findings import find_findings
from common.loggers.report_looks import find_blocks
from common.loggers.report_sections import LEGENDS, arrange
from common.loggers.run_files import read_metrics, write_atomic

PAGE = Path(__file__).parent / "report_page"
MAX_BYTES = 5_000_000  # of the page
ROOM = 4_000_000  # bytes of pictures at the smallest level; the rest is left for words
MAX_TEXT = 100_000  # characters of the config or the environment
MAX_COLUMNS = 9  # of the table of epochs; the rest is in metrics.jsonl
MAX_EPOCHS = 400  # rows of the table of epochs
MAX_WARNINGS = 20
HEADLINES = 6


def write_report(run_dir: Path) -> Path:
    """Write `report.html` into a run folder from whatever lies there, and return its path.

    Everything is in the one file of less than 5 MB: styles, pictures, a script that enlarges them.
    What is missing is left out. Where pictures would weigh too much, fewer and smaller ones are
    shown, those of earlier epochs going first.
    """
    run_dir = Path(run_dir)
    content = collect(run_dir)
    for level in LEVELS:
        album = Album(level, ROOM if level == LEVELS[-1] else math.inf)
        page = _render(content | illustrate(run_dir, content, album)).encode()
        if len(page) < MAX_BYTES:
            break
    return write_atomic(run_dir / "report.html", page)


def collect(run_dir: Path) -> dict[str, Any]:
    """Return what the page says, by the names the template uses."""
    summary = _read_json(run_dir / "summary.json")
    finals = _read_json(run_dir / "hyperparameters.json")
    rows = read_metrics(run_dir)
    best = summary.get("best_epoch")
    metrics = summary.get("metrics") or finals.get("metrics") or {}
    config = _read_json(run_dir / "config.json") or finals.get("config") or {}
    return {
        "title": summary.get("name") or " / ".join(run_dir.resolve().parts[-3:]),
        "summary": summary,
        "headlines": list(_headlines(metrics).items())[:HEADLINES],
        "duration": _duration(summary.get("seconds")),
        "warnings": _not_finite(rows),
        "findings": find_findings(run_dir, rows),
        "history": _history(rows, best),
        "epochs": _epoch_table(rows),
        "legend": LEGENDS.get(str(config.get("task")), ""),
        "config": _pretty(config),
        "environment": _pretty(_read_json(run_dir / "environment.json")),
    }


def illustrate(run_dir: Path, content: Mapping[str, Any], album: Album) -> dict[str, Any]:
    """Return the parts of the page that hold pictures, as the album makes them."""
    history = {name: album.uri(data, ".png") for name, data in content["history"].items()}
    sections = arrange(find_blocks(run_dir, album))
    return {"history": history, "sections": sections, "left_out": album.refused}


def _render(content: Mapping[str, Any]) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(PAGE),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["value"] = format_value
    return environment.get_template("page.html").render(**content)


def _headlines(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics by short names, those of validation first and losses last."""
    order = sorted(metrics, key=lambda n: ("loss" in n, not n.startswith("valid/")))
    return {_headline(name): metrics[name] for name in order}


def _headline(name: str) -> str:
    short = name.removesuffix("_epoch")
    short = short if "loss" in short else short.removeprefix("valid/")
    return short.replace("/", " ").replace("_", " ")


def _history(rows: Sequence[Mapping[str, float]], best: float | None) -> dict[str, bytes]:
    """Return the figure as PNG: `wide`, and `narrow` with a panel above the other, for phones."""
    if not any(name.startswith(("train/", "valid/")) for row in rows for name in row):
        return {}
    figures = {"wide": history_figure(rows, best), "narrow": history_figure(rows, best, columns=1)}
    return {name: fine_png(figure) for name, figure in figures.items()}


def _epoch_table(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    table = by_epoch(rows)
    found = {name for values in table.values() for name in values}
    shown = [n for n in found if n == "train/loss" or n.startswith("valid/")]
    # Losses first, then metrics; the terms of a loss last.
    shown.sort(key=lambda n: (n.count("/") > 1, "loss" not in n, n))
    shown = shown[:MAX_COLUMNS]
    lines = [(e, [values.get(n) for n in shown]) for e, values in table.items()]
    lines = [(epoch, values) for epoch, values in lines if any(v is not None for v in values)]
    return {"names": shown, "rows": lines[-MAX_EPOCHS:]}


def _not_finite(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """Say of each scalar where it first stopped being a finite number."""
    first: dict[str, str] = {}
    for row in rows:
        for name, value in row.items():
            if not math.isfinite(value) and name not in first:
                at = f"step {row['global_step']:.0f} (epoch {row.get('epoch', 0):.4g})"
                first[name] = f"{name} became {value} at {at}"
    found = list(first.values())
    more = [f"and {len(found) - MAX_WARNINGS} more"] if len(found) > MAX_WARNINGS else []
    return found[:MAX_WARNINGS] + more


def _duration(seconds: Any) -> str:
    if not isinstance(seconds, int | float):
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _pretty(value: Any) -> str:
    text = json.dumps(value, indent=2, ensure_ascii=False) if value else ""
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}\n… the rest is in the run folder"
