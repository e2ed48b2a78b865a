"""The folder that `kit kernel pack` wrote, and what became of it on Kaggle."""

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.environment import runs_dir
from common.errors import KitError
from common.runs import write_json

PREDICT, TRAIN = "predict", "train"
DATASETS = ("wheels", "checkpoints")
METADATA = "dataset-metadata.json"
REFUSED = "refused"  # in place of a run's status


@dataclass(frozen=True)
class Packed:
    """A kernel and its data sets, ready to be uploaded."""

    folder: Path
    facts: dict[str, Any]  # packed.json

    @classmethod
    def find(cls, competition: str, given: Path | None, kind: str, runs: Path | None) -> "Packed":
        """Return the packed folder of a competition.

        Raises:
            KitError: there is none, it is of something else, or files were changed since.
        """
        folder = given or runs_dir(runs) / competition / "packed" / kind
        command = f"kit kernel pack {competition}{' --train' if kind == TRAIN else ''}"
        if not (folder / "packed.json").is_file():
            raise KitError(f"expected a packed kernel in '{folder}', found none; run: {command}")
        packed = cls(folder, json.loads((folder / "packed.json").read_text()))
        got = (packed.facts["competition"], packed.facts["kind"])
        if got != (competition, kind):
            raise KitError(
                f"expected '{folder}' to hold {competition}'s kernel that {kind}s, got "
                f"{got[0]}'s that {got[1]}s; name another with --packed, or run: {command}"
            )
        packed._expect_files(command)
        return packed

    @property
    def kernel(self) -> str:
        """The kernel's name on Kaggle, owner/slug."""
        return self.facts["kernel"]

    @property
    def code(self) -> Path:
        """The folder that holds the kernel."""
        return self.folder / "kernel"

    @property
    def output(self) -> Path:
        """Where the output of its run goes."""
        return self.folder / "output"

    @property
    def datasets(self) -> dict[str, str]:
        """Part -> name on Kaggle, of the data sets that there are."""
        parts = [part for part in DATASETS if (self.folder / part / METADATA).is_file()]
        return {part: read_json(self.folder / part / METADATA)["id"] for part in parts}

    @property
    def pushed(self) -> dict[str, Any]:
        """What was pushed: `{"datasets": {part: ...}, "kernel": {...}}`, each with hashes."""
        file = self.folder / "pushed.json"
        return read_json(file) if file.exists() else {"datasets": {}, "kernel": {}}

    def remember(self, part: str, **values: Any) -> None:
        """Keep what became of a data set or of the kernel."""
        known, news = self.pushed, {**values, "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        place = known if part == "kernel" else known["datasets"]
        place[part] = {**place.get(part, {}), **news}
        write_json(self.folder / "pushed.json", known)

    def hashes(self, part: str) -> dict[str, str]:
        """Return the SHA-256 of each file of a part."""
        return {file.name: hash_file(file) for file in files_of(self.folder / part)}

    def is_pushed(self, part: str) -> bool:
        """Return whether the part lies on Kaggle as it lies here, as far as we know."""
        known = self.pushed
        place = known["kernel"] if part == "kernel" else known["datasets"].get(part, {})
        return bool(place) and place.get("sha256") == self.hashes(part)

    def _expect_files(self, command: str) -> None:
        for name, size in self.facts.get("files", {}).items():
            file = self.folder / name
            got = f"{file.stat().st_size} bytes" if file.is_file() else "none"
            if got != f"{size} bytes":
                raise KitError(f"expected '{file}' of {size} bytes, got {got}; run: {command}")


def files_of(folder: Path) -> list[Path]:
    """Return the files of a folder, by name."""
    return sorted(path for path in folder.iterdir() if path.is_file())


def hash_file(file: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def read_json(file: Path) -> dict[str, Any]:
    """Return what a JSON file holds."""
    return json.loads(file.read_text())
