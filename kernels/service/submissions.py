"""The submissions of a competition, so that none is sent twice and each score finds its runs."""

import json
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from common.errors import KitError
from common.runs import Run, write_json

from .replies import Submission

OPEN, COMPLETE = "pending", "complete"


@dataclass(frozen=True)
class Entry:
    """One submission."""

    reference: int
    what: str  # "owner/kernel version 3", or "sha256 ..." of a file
    file: str  # as the competition calls it
    message: str
    runs: tuple[str, ...]  # that it was predicted with
    status: str = OPEN
    public: float | None = None
    private: float | None = None
    error: str = ""
    time: str = ""


class Submissions:
    """`runs/<competition>/submissions.json`, oldest first."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "submissions.json"

    def find(self, what: str) -> Entry | None:
        """Return the newest submission of the same thing, unless it failed."""
        same = [entry for entry in self._entries() if entry.what == what]
        return same[-1] if same and same[-1].status in (OPEN, COMPLETE) else None

    def keep(self, entry: Entry) -> None:
        """Add a submission, or put it in the place of its former state."""
        entry = entry if entry.time else replace(entry, time=time.strftime("%Y-%m-%dT%H:%M:%S%z"))
        others = [one for one in self._entries() if one.reference != entry.reference]
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_json(self._file, [asdict(one) for one in [*others, entry]])

    def _entries(self) -> list[Entry]:
        if not self._file.exists():
            return []
        rows = json.loads(self._file.read_text())
        return [Entry(**{**row, "runs": tuple(row["runs"])}) for row in rows]


def scored(entry: Entry, found: Submission) -> Entry:
    """Return the entry with what Kaggle says of it."""
    news = {"status": found.status, "public": found.public, "private": found.private}
    return replace(entry, **news, error=found.error)


def write_scores(entry: Entry, runs: Sequence[Run]) -> None:
    """Write the scores beside each run and into its W&B run, which may fail."""
    from common.loggers.wandb_leaderboard import log_leaderboard

    for run in runs:
        write_json(run.leaderboard_file, {**asdict(entry), "runs": list(entry.runs)})
        scores = {"leaderboard/public": entry.public, "leaderboard/private": entry.private}
        known = {name: score for name, score in scores.items() if score is not None}
        log_leaderboard(run.folder, {**(run.summary.get("metrics") or {}), **known})


def find_entry_runs(names: Sequence[str], root: Path) -> list[Run]:
    """Return those runs that are on this machine, and say which are not."""
    from common.commands.runs import find_run

    found = []
    for name in names:
        try:
            found.append(find_run(name, root))
        except KitError:
            print(f"note: the run {name} is not in '{root}'; its score is not noted", flush=True)
    return found
