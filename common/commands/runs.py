"""kit runs, kit diff, kit report."""

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from common.commands.runs_chosen import choose
from common.competition import Competition
from common.config import flatten
from common.environment import runs_dir
from common.errors import KitError, did_you_mean
from common.figures.grid import format_value
from common.oof_files import BLEND
from common.runs import Run, find_runs

LISTED = (
    *("name", "competition", "experiment", "fold", "status"),
    *("metrics", "leaderboard", "best_epoch", "seconds", "weights_sha256", "config"),
)

LEADERBOARD = {"public": "LB", "private": "LB private"}  # key -> column


def find_run(name: str, root: Path, competition: str | None = None) -> Run:
    """Return a run by `competition/experiment/fold<k>` or by its folder.

    Args:
        competition: whose experiments, blends and runs a mistaken name is compared with.
    """
    for folder in (root / name, Path(name)):
        if (folder / "config.json").exists():
            return Run(folder.resolve())
    known = [run.name for run in find_runs(root, competition)]
    if competition:
        blends = sorted(file.parent.name for file in root.glob(f"{competition}/*/{BLEND}"))
        known = [*dict.fromkeys(one.split("/")[1] for one in known), *blends, *known]
    raise KitError(f"unknown run '{name}' in '{root}'; {did_you_mean(name, known)}")


def print_runs(
    competition: str | None,
    as_json: bool,
    given: Path | None,
    by: str = "",
    conditions: Sequence[str] = (),
) -> None:
    """Print a table for each competition, or one JSON object per run.

    Args:
        by: a metric, whose best run comes first; empty: the oldest.
        conditions: that all must hold; see `runs_chosen.choose`.
    """
    runs = find_runs(runs_dir(given), competition)
    if competition and not runs:
        Competition.find(competition)  # its name may be mistaken
    described: list[Mapping[str, Any]] = list(_described(runs))
    chosen = choose(described, by, conditions)
    rows = [{key: row.get(key) for key in LISTED} for row in chosen]
    if as_json:
        print(json.dumps(rows, indent=2))
        return
    for one in dict.fromkeys(row["competition"] for row in rows):
        print("\n".join(table_of([row for row in rows if row["competition"] == one])))
    if not rows:
        such = f" with {' and '.join(conditions)}" if conditions else ""
        print(f"no runs{such} in {runs_dir(given)}")


def _described(runs: Sequence[Run]) -> Iterator[dict[str, Any]]:
    """Yield what is known of each run; one that cannot be read hides no other."""
    for run in runs:
        try:
            yield describe(run)
        except KitError as error:
            warnings.warn(f"{run.name} is left out: {error}", stacklevel=2)


def table_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the lines of a table of runs: status, scores, and every setting that differs."""
    settings = [dict(flatten(row["config"])) for row in rows]
    names = dict.fromkeys(name for known in settings for name in known)
    differ = [n for n in names if len({str(known.get(n)) for known in settings}) > 1]
    scores = list(dict.fromkeys(name for row in rows for name in row["metrics"] or {}))
    scores.sort(key=lambda name: "loss" in name)  # the competition's own stands first
    boards = [board for board in LEADERBOARD if any(_on(row, board) for row in rows)]
    named = [n.removeprefix("valid/") for n in scores]
    named[1:1] = [LEADERBOARD[board] for board in boards]  # beside the competition's own
    cells = [["run", "status", "epoch", *named, *differ]]
    for row, known in zip(rows, settings, strict=True):
        found = [(row["metrics"] or {}).get(n) for n in scores]
        found[1:1] = [_on(row, board) for board in boards]
        place = [row["name"], row["status"], row["best_epoch"], *found]
        cells.append([_cell(value) for value in [*place, *(known.get(n) for n in differ)]])
    widths = [max(len(line[place]) for line in cells) for place in range(len(cells[0]))]
    padded = ([c.ljust(w) for c, w in zip(line, widths, strict=True)] for line in cells)
    return ["  ".join(line).rstrip() for line in padded]


def _on(row: Mapping[str, Any], board: str) -> str | None:
    """Return a run's score on a leaderboard, and of how many runs it is, if not of this alone."""
    known = row.get("leaderboard") or {}
    if known.get(board) is None:
        return None
    others = f" of {len(known['runs'])}" if len(known.get("runs", ())) > 1 else ""
    return format_value(known[board]) + others


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value)) or "-"
    return "-" if value is None else format_value(value)


def describe(run: Run) -> dict:
    """Return what is known of a run, also of one that never got to write its summary."""
    place = {"name": run.name, "competition": run.competition, "experiment": run.experiment}
    config = run.config.model_dump(mode="json")
    known = {"fold": run.fold, "status": run.status, "leaderboard": run.leaderboard}
    return {**place, **known, "config": config, **run.summary}


def print_difference(first: str, second: str, given: Path | None) -> None:
    """Print every config value and score in which two runs differ."""
    left, right = (_flat(find_run(name, runs_dir(given))) for name in (first, second))
    keys = [key for key in {**left, **right} if left.get(key) != right.get(key)]
    for key in keys:
        print(f"{key:40} {left.get(key)!s:>24}  {right.get(key)!s:>24}")
    if not keys:
        print("the two runs have the same config and scores")


def write_run_report(name: str, given: Path | None) -> None:
    """Write the report of a run from what its folder holds."""
    from common.loggers.report import write_report

    print(write_report(find_run(name, runs_dir(given)).folder))


def _flat(run: Run) -> dict:
    known = describe(run)
    return {**dict(flatten(known["config"])), **(known.get("metrics") or {})}
