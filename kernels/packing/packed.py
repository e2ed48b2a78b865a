"""The folder that `kit kernel pack` wrote, read again, and what became of it on Kaggle."""

import hashlib
import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from common.config import Config
from common.environment import runs_dir
from common.errors import KitError
from common.kernels_folder import PACKED
from common.runs import write_json

PREDICT, TRAIN = "predict", "train"
METADATA = "dataset-metadata.json"
KERNEL, PUSHED, ABOUT = "kernel", "pushed.json", "kernel-metadata.json"
REFUSED = "refused"  # in place of a run's status


@dataclass(frozen=True)
class Packed:
    """A kernel and its data sets, ready to be rehearsed and uploaded."""

    folder: Path
    facts: dict[str, Any]  # packed.json

    @classmethod
    def find(
        cls, competition: str, given: Path | None, kind: str = PREDICT, runs: Path | None = None
    ) -> "Packed":
        """Return the packed folder of a competition.

        Raises:
            KitError: there is none, it is of something else, or files were changed since.
        """
        folder = given or runs_dir(runs) / competition / "packed" / kind
        command = f"kit kernel pack {competition}{' --train' if kind == TRAIN else ''}"
        if not (folder / PACKED).is_file():
            raise KitError(f"expected a packed kernel in '{folder}', found none; run: {command}")
        packed = cls(folder, _read(folder / PACKED, command))
        got = (packed.facts.get("competition"), packed.facts.get("kind"))
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
    def competition(self) -> str:
        """The competition's folder name."""
        return self.facts["competition"]

    @property
    def slug(self) -> str:
        """Kaggle's name of the competition, or the kit's where it is none of Kaggle's."""
        return self.facts.get("slug") or self.competition

    @property
    def config(self) -> Config:
        """What was packed; KitError if another version of the kit wrote it."""
        try:
            return Config.model_validate(self.facts.get("config"))
        except ValidationError as error:
            first = error.errors()[0]["msg"]
            raise KitError(
                f"expected the config of this kit in '{self.folder}': {first}; pack it anew: kit "
                f"kernel pack {self.competition}"
            ) from None

    @property
    def code(self) -> Path:
        """The folder that holds the kernel."""
        return self.folder / KERNEL

    @property
    def script(self) -> Path:
        """The kernel, a script or notebook."""
        return self.code / read_json(self.code / ABOUT)["code_file"]

    @property
    def output(self) -> Path:
        """Where the output of its run goes."""
        return self.folder / "output"

    @property
    def datasets(self) -> dict[str, str]:
        """Part -> name on Kaggle, of the data sets that there are."""
        named = self.facts.get("datasets", {})
        return {part: ref for part, ref in named.items() if (self.folder / part).is_dir()}

    @property
    def wheels(self) -> list[str]:
        """Names of the wheels it carries."""
        return sorted(file.name for file in (self.folder / "wheels").glob("*.whl"))

    @property
    def pushed(self) -> dict[str, Any]:
        """What was pushed: `{"datasets": {part: ...}, "kernel": {...}}`, each with hashes."""
        file = self.folder / PUSHED
        return read_json(file) if file.exists() else {"datasets": {}, KERNEL: {}}

    def remember(self, part: str, **values: Any) -> None:
        """Keep what became of a data set or of the kernel."""
        known, news = self.pushed, {**values, "time": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        place = known if part == KERNEL else known["datasets"]
        place[part] = {**place.get(part, {}), **news}
        write_json(self.folder / PUSHED, known)

    def hashes(self, part: str) -> dict[str, str]:
        """Return the SHA-256 of each file of a part."""
        return {file.name: hash_file(file) for file in files_of(self.folder / part)}

    def is_pushed(self, part: str) -> bool:
        """Return whether the part lies on Kaggle as it lies here, as far as we know."""
        known = self.pushed
        place = known[KERNEL] if part == KERNEL else known["datasets"].get(part, {})
        return bool(place) and place.get("sha256") == self.hashes(part)

    def _expect_files(self, command: str) -> None:
        for name, size in self.facts.get("files", {}).items():
            file = self.folder / name
            got = f"{file.stat().st_size} bytes" if file.is_file() else "none"
            if got != f"{size} bytes":
                raise KitError(f"expected '{file}' of {size} bytes, got {got}; run: {command}")
        script = self.code / str(_read(self.code / ABOUT, command).get("code_file"))
        if not script.is_file():
            raise KitError(f"expected the kernel '{script}', found none; run: {command}")


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


def _read(file: Path, command: str) -> dict[str, Any]:
    try:
        return read_json(file)
    except FileNotFoundError:
        raise KitError(f"expected a packed kernel, found no '{file}'; run: {command}") from None
    except ValueError as error:
        raise KitError(f"expected JSON in '{file}', got: {error}; run: {command}") from None
