"""kit kernel rehearse: the packed kernel, run as Kaggle would run it, before Kaggle does."""

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import wrap

from common.environment import data_dir

from ..packing.packed import Packed
from .stage import run_both
from .trial import Trial
from .verdict import Row, judge

TAIL = 25  # lines of the log that are shown of a run that failed
NARROWEST = 40  # characters of the table's last column


def rehearse(
    competition: str, packed: Path | None, data: Path | None, runs: Path | None, hidden: int
) -> None:
    """Run the kernel on the public and on a hidden test set; print what Kaggle would answer.

    Leaves with code 1 if one of its answers would be a failure.

    Args:
        hidden: images of the test set that scores; 0: as the config says.
    """
    kernel = Packed.find(competition, packed, runs=runs)
    with TemporaryDirectory(prefix="kit-rehearsal-", ignore_cleanup_errors=True) as place:
        seen = run_both(kernel, data_dir(competition, data), Path(place), hidden)
    rows = judge(seen)
    failed = any(row.status == "failed" for row in rows)
    log = log_tail(seen.trials[-1]) if failed else []
    print("\n".join([*log, "", *table(rows), "", sentence(rows)]))
    if failed:
        sys.exit(1)


def log_tail(trial: Trial) -> list[str]:
    """Return the last lines that a run printed, where it did not end well."""
    if trial.ended_well:
        return []
    lines = trial.outcome.log.splitlines()[-TAIL:] or ["(nothing)"]
    title = f"the end of the kernel's log, {trial.name} test set:"
    return ["", title, *(f"  | {line}" for line in lines)]


def sentence(rows: Sequence[Row]) -> str:
    """Return the last line: would Kaggle take it?"""
    failed = [row.answer for row in rows if row.status == "failed"]
    if failed:
        return f"Kaggle would refuse it: {'; '.join(failed)}"
    unchecked = sum(row.status == "not checked" for row in rows)
    if unchecked:
        return f"no line failed, but {unchecked} of {len(rows)} could not be checked"
    return "Kaggle would take it"


def table(rows: Sequence[Row], width: int = 0) -> list[str]:
    """Return a line per answer, aligned; a long reason goes on below itself."""
    width = width or shutil.get_terminal_size((110, 40)).columns
    answers = max(len(row.answer) for row in rows)
    lines = []
    for row in rows:
        head = f"{row.status:11}  {row.answer:{answers}}  "
        room = max(width - len(head), NARROWEST)
        first, *rest = wrap(row.reason, room, break_on_hyphens=False) or [""]
        lines += [head + first, *(" " * len(head) + line for line in rest)]
    return lines
