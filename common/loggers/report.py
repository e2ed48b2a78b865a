"""One page about one run, from the files of its folder; it opens without network or server."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from common.figures.grid import format_value
from common.figures.history import by_epoch, history_figure
from common.loggers.report_looks import figure_uri, find_curves, find_pictures, find_tables
from common.loggers.run_files import read_metrics, write_atomic

TEMPLATE = "report_template.html"
MAX_COLUMNS = 9  # of the table of epochs; the rest is in metrics.jsonl
HEADLINES = 6


def write_report(run_dir: Path) -> Path:
    """Write `report.html` into a run folder from whatever lies there, and return its path.

    Everything is in the one file: styles, pictures, no script. What is missing is left out.
    """
    run_dir = Path(run_dir)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["value"] = format_value
    page = environment.get_template(TEMPLATE).render(**collect(run_dir))
    return write_atomic(run_dir / "report.html", page.encode())


def collect(run_dir: Path) -> dict[str, Any]:
    """Return what the page shows, by the names the template uses."""
    summary = _read_json(run_dir / "summary.json")
    finals = _read_json(run_dir / "hyperparameters.json")
    rows = read_metrics(run_dir)
    best = summary.get("best_epoch")
    metrics = summary.get("metrics") or finals.get("metrics") or {}
    return {
        "title": summary.get("name") or " / ".join(run_dir.resolve().parts[-3:]),
        "summary": summary,
        "headlines": list(_headlines(metrics).items())[:HEADLINES],
        "duration": _duration(summary.get("seconds")),
        "warnings": _not_finite(rows),
        "history": _history(rows, best),
        "epochs": _epoch_table(rows),
        "pictures": find_pictures(run_dir),
        "curves": find_curves(run_dir),
        "tables": find_tables(run_dir),
        "config": _pretty(_read_json(run_dir / "config.json") or finals.get("config")),
        "environment": _pretty(_read_json(run_dir / "environment.json")),
    }


def _headlines(metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Return metrics by short names, those of validation first and losses last."""
    order = sorted(metrics, key=lambda n: ("loss" in n, not n.startswith("valid/")))
    return {name.removeprefix("valid/").replace("_", " "): metrics[name] for name in order}


def _history(rows: Sequence[Mapping[str, float]], best: float | None) -> dict[str, str]:
    """Return the figure twice: `wide`, and `narrow` with one panel above the other for phones."""
    if not any(name.startswith(("train/", "valid/")) for row in rows for name in row):
        return {}
    figures = {"wide": history_figure(rows, best), "narrow": history_figure(rows, best, columns=1)}
    return {name: figure_uri(figure) for name, figure in figures.items()}


def _epoch_table(rows: Sequence[Mapping[str, float]]) -> dict[str, Any]:
    table = by_epoch(rows)
    found = {name for values in table.values() for name in values}
    shown = [n for n in found if n == "train/loss" or n.startswith("valid/")]
    # Losses first, then metrics; the terms of a loss last.
    shown.sort(key=lambda n: (n.count("/") > 1, "loss" not in n, n))
    shown = shown[:MAX_COLUMNS]
    lines = [(e, [values.get(n) for n in shown]) for e, values in table.items()]
    lines = [(epoch, values) for epoch, values in lines if any(v is not None for v in values)]
    return {"names": shown, "rows": lines}


def _not_finite(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """Say of each scalar where it first stopped being a finite number."""
    first: dict[str, str] = {}
    for row in rows:
        for name, value in row.items():
            if not math.isfinite(value) and name not in first:
                at = f"step {row['global_step']:.0f} (epoch {row.get('epoch', 0):.4g})"
                first[name] = f"{name} became {value} at {at}"
    return list(first.values())


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
    return json.dumps(value, indent=2, ensure_ascii=False) if value else ""
