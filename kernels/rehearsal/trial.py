"""What is known after a run: how it ended, what it wrote, and what of that Kaggle would refuse."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from common.errors import KitError

from .sandbox import Outcome

REPORT = "kernel.json"  # that a packed kernel writes
LISTED = 6  # files


@dataclass(frozen=True)
class Trial:
    """One run on one test set.

    Attributes:
        name: of the test set.
        images: in it.
        found: files in the working folder, relative.
        faults: of the submission; None where there is none to look at.
        report: the kernel's own, or what could be read of it.
    """

    name: str
    images: int
    outcome: Outcome
    found: tuple[str, ...]
    faults: tuple[str, ...] | None
    report: dict = field(default_factory=dict)

    @property
    def ended_well(self) -> bool:
        """Whether it ended by itself, without an error and with a submission."""
        return self.outcome.code == 0 and self.faults is not None

    @property
    def predict_seconds(self) -> float | None:
        """The kernel's own time for predicting, as far as it can be true."""
        seconds = self.report.get("seconds")
        value = seconds.get("predict") if isinstance(seconds, dict) else None
        true = isinstance(value, int | float) and 0 <= value <= self.outcome.seconds
        return float(value) if true and value is not None else None


def look_at(
    name: str,
    images: int,
    outcome: Outcome,
    submission: str,
    check: Callable[[Path], Sequence[object]],
) -> Trial:
    """Look at what a run left.

    Args:
        submission: name of the file that Kaggle takes.
        check: returns the errors in such a file; a KitError is one of them.
    """
    working = outcome.working
    found = sorted(
        file.relative_to(working).as_posix() for file in working.rglob("*") if file.is_file()
    )
    faults = _faults(working / submission, check) if submission in found else None
    return Trial(name, images, outcome, tuple(found), faults, _read(working / REPORT))


def some_files(found: Sequence[str]) -> str:
    """Return the names of a few files, or that there are none."""
    more = f" and {len(found) - LISTED} more" if len(found) > LISTED else ""
    return (", ".join(found[:LISTED]) or "nothing") + more


def _faults(file: Path, check: Callable[[Path], Sequence[object]]) -> tuple[str, ...]:
    try:
        return tuple(map(str, check(file)))
    except (KitError, OSError) as error:
        return (str(error),)


def _read(file: Path) -> dict:
    try:
        values = json.loads(file.read_text())
    except (OSError, ValueError):
        return {}
    return values if isinstance(values, dict) else {}
