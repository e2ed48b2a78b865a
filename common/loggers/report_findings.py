"""What a run comes down to, in a few sentences, each with the section that shows it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common.figures.grid import format_value
from common.figures.history import by_epoch
from common.loggers.report_cards import read_table
from common.loggers.report_sections import SECTIONS

MOST = 3  # parts of the time that are named


class Finding(NamedTuple):
    """A sentence, and the key of a section."""

    word: str
    text: str
    section: str


def find_findings(run_dir: Path, rows: Sequence[Mapping[str, float]]) -> list[Finding]:
    """Return what the tables of the last epoch and the scalars say, as far as they are there."""
    findings = [*_mistake(run_dir), *_worst(run_dir), *_labels(run_dir), *_layers(run_dir)]
    findings += _time(rows)
    titles = {section.key: section.word for section in SECTIONS}
    return [finding._replace(word=titles[finding.section]) for finding in findings]


def _mistake(run_dir: Path) -> Iterator[Finding]:
    for row in _last(run_dir, "valid_most_confused")[:1]:
        text = f"most often {row['actual']} is taken for {row['predicted']}: {row['count']:,} times"
        known = "share" in row and row["actual"] != "background"  # of which there is no total
        share = f", {row['share']:.0%} of all {row['actual']}" if known else ""
        yield Finding("", text + share, "confusion")


def _worst(run_dir: Path) -> Iterator[Finding]:
    rows = _last(run_dir, "valid_extremes")
    for row in [row for row in rows if row.get("why") == "worst"][:1]:
        said = f"{row['truth']} → {row['prediction']}" if "prediction" in row else row["truth"]
        loss = format_value(row["loss"])
        yield Finding("", f"the worst sample is {row['image_id']}: {said}, loss {loss}", "extremes")
    broken = sum(row.get("why") not in {"worst", "best"} for row in rows)
    if broken:
        yield Finding("", f"{broken} samples have a loss that is not finite", "extremes")


def _labels(run_dir: Path) -> Iterator[Finding]:
    for name in ("valid_label_issues", "label_issues"):
        for row in _last(run_dir, name)[:1]:
            yield Finding("", f"the most suspicious label is that of {row['image_id']}", "labels")


def _layers(run_dir: Path) -> Iterator[Finding]:
    rows = _last(run_dir, "train_gradient_layers")
    ill = [row for row in rows if row.get("verdict")]
    if ill:
        named = ", ".join(f"{row['layer']} ({row['verdict']})" for row in ill[:3])
        more = f" and {len(ill) - 3} more" if len(ill) > 3 else ""
        yield Finding("", f"{len(ill)} of {len(rows)} layers are ill: {named}{more}", "gradients")
    elif rows:
        yield Finding("", f"all {len(rows)} layers learn", "gradients")


def _time(rows: Sequence[Mapping[str, float]]) -> Iterator[Finding]:
    timed = [row for row in rows if any(_is_time(name) for name in row)]
    table = by_epoch(timed)
    last = list(table.values())[-1] if table else {}
    parts = {name: value for name, value in last.items() if _is_time(name)}
    total = sum(v for v in parts.values() if math.isfinite(v))
    if total > 0:
        largest = sorted(parts, key=lambda part: -parts[part])[:MOST]
        said = ", ".join(f"{parts[p] / total:.0%} {p.removeprefix('time/')}" for p in largest)
        yield Finding("", f"of the last epoch {said}", "time")


def _is_time(name: str) -> bool:
    return name.startswith("time/")


def _last(run_dir: Path, name: str) -> list[dict[str, Any]]:
    files = (run_dir / "figures").glob(f"{name}_epoch*.parquet")
    latest = max(files, key=lambda p: float(p.stem.rpartition("_epoch")[2]), default=None)
    return read_table(latest) if latest else []
