"""One table of what is measured: each benchmark tells its rows, `make bench` prints all of them.

Alone, a benchmark prints its own rows. With KIT_BENCH=FILE they are also kept there, a line of JSON
each, and `python tests/benchmarks/table.py FILE` prints the table; the newest row of a name counts.
"""

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

Run = Callable[[], object]
HEAD = ("what", "against", "measured", "goal", "reached")


def tell(
    what: str,
    against: str,
    measured: float | None,
    goal: float,
    *,
    at_least: bool = False,
    unit: str = "x",
    why: str = "",
) -> None:
    """Print a row and keep it for the table.

    Args:
        measured: a ratio of the other's time, or whatever `unit` says; None if it could not be.
        goal: `measured` should be at most that much, or `at_least`.
        why: what stands in the way, where the goal is missed or nothing is measured.
    """
    row = {"what": what, "against": against, "measured": measured, "goal": goal, "unit": unit}
    row |= {"at_least": at_least, "why": why, "date": time.strftime("%Y-%m-%d")}
    print(" | ".join(cells(row)), flush=True)
    if file := os.environ.get("KIT_BENCH"):
        with Path(file).open("a") as rows:
            rows.write(json.dumps(row) + "\n")


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """Return a row as words."""
    measured, goal, unit = row["measured"], row["goal"], row["unit"]
    sign = "at least" if row["at_least"] else "at most"
    aim = f"{sign} {goal:.3g} {unit}"
    if measured is None:
        return row["what"], row["against"], "not measured", aim, row["why"]
    reached = measured >= goal if row["at_least"] else measured <= goal
    verdict = "yes" if reached else f"**no**: {row['why']}" if row["why"] else "**no**"
    return row["what"], row["against"], f"{measured:.3g} {unit}", aim, verdict


def paired(ours: Run, other: Run, rounds: int = 7, clock: Run = time.process_time) -> list[float]:
    """Return median seconds of ours and of the other, and the median ratio of the rounds.

    They take turns in one process, so that what else the machine does cancels out; a round before
    warms up. Times are processor times of this process.
    """
    times = []
    for _ in range(rounds + 1):
        began = clock()
        ours()
        middle = clock()
        other()
        times.append((middle - began, clock() - middle))
    kept = times[1:]
    ratio = statistics.median(mine / theirs for mine, theirs in kept)
    return [*(statistics.median(column) for column in zip(*kept, strict=True)), ratio]


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """Return the table; of rows that have one name the last one."""
    newest = {(row["what"], row["against"]): row for row in rows}
    machine = "x86" if platform.machine() == "x86_64" else platform.machine()
    dates = sorted({row["date"] for row in newest.values()})
    lines = [
        "# What is measured, against its goal",
        "",
        f"{os.cpu_count()}-core {machine} CPU, 1 thread, shared; {', '.join(dates)}."
        " Ratios of processor time, taken in turns in one process; below 1 is quicker.",
        "",
        *("| " + " | ".join(words) + " |" for words in (HEAD, ("---",) * len(HEAD))),
        *("| " + " | ".join(cells(row)) + " |" for row in newest.values()),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    told = Path(sys.argv[1])
    if told.exists():  # else no benchmark that ran has a goal
        print(markdown([json.loads(line) for line in told.read_text().splitlines()]))
