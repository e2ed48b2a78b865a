"""One run of a kernel under Kaggle's limits: no network, read-only inputs, memory, disk, time."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import KitError

from . import processes
from .fresh_environment import GUARD, Environment
from .input_tree import Part, hold_open, place_for_links, place_for_mounts, stamps
from .sandbox_entry import NOT_MADE
from .watch import Limits, Stopped, Watch

ENTRY = Path(__file__).with_name("sandbox_entry.py")
INPUT, WORKING, SOURCE = "/kaggle/input", "/kaggle/working", "/kaggle/src"
RERUN = {"KAGGLE_IS_COMPETITION_RERUN": "1", "KAGGLE_KERNEL_RUN_TYPE": "Batch"}


@dataclass(frozen=True)
class Abilities:
    """What this system allows a sandbox."""

    network: bool  # a network of one's own, which leads nowhere
    mounts: bool  # a tree of files of one's own, with /kaggle in it
    memory: bool  # seeing what processes take

    @classmethod
    def probe(cls) -> "Abilities":
        """Try."""
        words = [sys.executable, "-I", "-S", ENTRY, "probe"]
        done = subprocess.run(words, capture_output=True, text=True)
        answer = json.loads(done.stdout) if done.returncode == 0 else {}
        return cls(answer.get("network", False), answer.get("mounts", False), processes.can_watch())


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    Attributes:
        code: exit code, negative for a signal; None where it was stopped.
        stopped: by which limit.
        memory_gb: the most that its processes took together; None where that cannot be seen.
        working_gb: the most that lay in the working folder.
        network, writes: who reached out and what was written to, with file and line.
        log: what it printed.
        working: its working folder.
    """

    code: int | None
    stopped: Stopped
    seconds: float
    memory_gb: float | None
    working_gb: float
    network: tuple[str, ...]
    writes: tuple[str, ...]
    log: str
    working: Path


@dataclass(frozen=True)
class Sandbox:
    """Where runs are made: a temporary folder, an environment and what the system allows."""

    folder: Path
    environment: Environment
    abilities: Abilities
    limits: Limits

    def run(self, name: str, script: Path, parts: Sequence[Part]) -> Outcome:
        """Run a script with the parts as its inputs, in a fresh working folder."""
        place = self.folder / name
        for part in ("input", "working", "tmp", "home", "root", "src"):
            (place / part).mkdir(parents=True)
        shutil.copyfile(script, place / "src" / script.name)
        with hold_open(place / "input"):
            order, inputs = self._order(place, script.name, parts), Part(place / "input", "")
            before = stamps([*parts, inputs])
            watch = self._watch(order, place)
            changed = stamps([*parts, inputs]).symmetric_difference(before)
        return self._outcome(place, watch, sorted({path for path, _, _ in changed}))

    def _order(self, place: Path, script: str, parts: Sequence[Part]) -> Path:
        """Lay out the inputs, and write what sandbox_entry.py is to do."""
        inputs, working, source = (place / part for part in ("input", "working", "src"))
        binds: list[tuple[str, str, bool]] = []
        if self.abilities.mounts:
            binds = [(str(place), str(place), False), (str(inputs), INPUT, True)]
            binds += [(str(working), WORKING, False), (str(source), SOURCE, True)]
            binds += place_for_mounts(inputs, parts, INPUT)
            inputs, working, source = Path(INPUT), Path(WORKING), Path(SOURCE)
        else:
            place_for_links(inputs, parts)
        self._instruct_guard(place / "notes", [inputs, *(part.source for part in parts)])
        order = {
            "network": self.abilities.network and not self.limits.internet,
            "mounts": self.abilities.mounts,
            "root": str(place / "root"),
            "binds": binds,
            "command": [str(self.environment.python), str(source / script)],
            "cwd": str(working),
            "environment": self._variables(place, inputs, working),
            "report": str(place / "report.json"),
        }
        (place / "order.json").write_text(json.dumps(order))
        return place / "order.json"

    def _instruct_guard(self, notes: Path, folders: Sequence[Path]) -> None:
        """Tell every Python of the environment what to look at, see sandbox_guard.py."""
        refuse = not self.abilities.network and not self.limits.internet
        lines = [notes, "refuse" if refuse else "note", *folders]
        order = self.environment.site / f"{GUARD}.txt"
        order.write_text("\n".join(map(str, lines)) + "\n")

    def _variables(self, place: Path, inputs: Path, working: Path) -> dict[str, str]:
        programs = [str(self.environment.python.parent), "/usr/local/bin", "/usr/bin", "/bin"]
        variables = {
            **RERUN,
            "PATH": os.pathsep.join(programs),
            "HOME": str(place / "home"),
            "TMPDIR": str(place / "tmp"),
            "LANG": "C.UTF-8",
            "PYTHONUNBUFFERED": "1",  # so that what is killed has said what it did
        }
        if not self.abilities.mounts:
            variables |= {"KIT_KAGGLE_INPUT": str(inputs), "KIT_KAGGLE_WORKING": str(working)}
        return variables

    def _watch(self, order: Path, place: Path) -> Watch:
        words = [sys.executable, "-I", "-S", ENTRY, order]
        with (place / "log").open("wb") as log:
            entry = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
            watch = Watch(self.limits, self.abilities.memory, place / "working")
            try:
                watch.follow(entry)
            finally:
                watch.end(entry)
        if entry.returncode == NOT_MADE and not (place / "report.json").exists():
            raise KitError(f"expected to make a sandbox, got: {(place / 'log').read_text()}")
        return watch

    def _outcome(self, place: Path, watch: Watch, changed: list[str]) -> Outcome:
        report = {"code": None, "unrouted": 0}
        if (place / "report.json").is_file() and not watch.stopped:
            report = json.loads((place / "report.json").read_text())
        notes = _notes(place / "notes")
        network = notes.get("network", [])
        if report["unrouted"] and not network:  # a program that is no Python
            network = [f"{report['unrouted']} packets of another program"]
        return Outcome(
            code=report["code"],
            stopped=watch.stopped,
            seconds=watch.seconds,
            memory_gb=watch.memory_gb if self.abilities.memory else None,
            working_gb=watch.working_gb,
            network=tuple(network),
            writes=tuple(notes.get("write", []) + [f"{path} has changed" for path in changed]),
            log=(place / "log").read_text(errors="replace"),
            working=place / "working",
        )


def _notes(file: Path) -> dict[str, list[str]]:
    """Return what the guard noted, by kind, each once."""
    found: dict[str, list[str]] = {}
    for line in file.read_text().splitlines() if file.is_file() else []:
        kind, what, caller = line.split("\t")
        text = f"{what} ({caller})"
        if text not in found.setdefault(kind, []):
            found[kind].append(text)
    return found
