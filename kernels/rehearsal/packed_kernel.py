"""What `kit kernel pack` wrote, read again."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from common.config import Config
from common.errors import KitError

PACKED = "packed.json"
METADATA = "kernel-metadata.json"


@dataclass(frozen=True)
class PackedKernel:
    """A packed folder."""

    folder: Path
    values: dict[str, Any]  # of packed.json
    config: Config
    script: Path  # or notebook

    @classmethod
    def read(cls, folder: Path, competition: str, kind: str = "predict") -> "PackedKernel":
        """Read the folder; KitError where it is not one, or another competition's or kind's."""
        remedy = f"pack it: kit kernel pack {competition}"
        values = _read(folder / PACKED, remedy)
        for key, want in (("competition", competition), ("kind", kind)):
            if values.get(key) != want:
                got = values.get(key)
                raise KitError(f"expected the {key} '{want}' in '{folder}', got '{got}'; {remedy}")
        metadata = _read(folder / "kernel" / METADATA, remedy)
        script = folder / "kernel" / str(metadata.get("code_file"))
        if not script.is_file():
            raise KitError(f"expected the kernel '{script}', found none; {remedy}")
        try:
            config = Config.model_validate(values.get("config"))
        except ValidationError as error:
            first = error.errors()[0]["msg"]
            raise KitError(
                f"expected the config of this kit in '{folder}': {first}; {remedy}"
            ) from None
        return cls(folder, values, config, script)

    @property
    def slug(self) -> str:
        """Kaggle's name of the competition, or the kit's where it is none of Kaggle's."""
        return self.values.get("slug") or self.values["competition"]

    @property
    def wheels(self) -> list[str]:
        """Names of the wheels it carries."""
        return sorted(file.name for file in (self.folder / "wheels").glob("*.whl"))

    @property
    def data_sets(self) -> dict[str, str]:
        """Folder -> "owner/slug" of each data set that is there."""
        named = self.values.get("datasets", {})
        return {name: slug for name, slug in named.items() if (self.folder / name).is_dir()}

    def write_script(self, folder: Path) -> Path:
        """Return the script; of a notebook, its cells of code one after another in `folder`."""
        if self.script.suffix != ".ipynb":
            return self.script
        cells = json.loads(self.script.read_text())["cells"]
        code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
        lines = [line for cell in code for line in cell.splitlines()]
        if magic := next((line for line in lines if line.startswith(("%", "!"))), None):
            raise KitError(
                f"expected cells of Python in '{self.script}', got '{magic}'; pack a script"
            )
        script = folder / f"{self.script.stem}.py"
        script.write_text("\n\n".join(code) + "\n")
        return script


def _read(file: Path, remedy: str) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(file.read_text())
    except FileNotFoundError:
        raise KitError(f"expected a packed kernel, found no '{file}'; {remedy}") from None
    except ValueError as error:
        raise KitError(f"expected JSON in '{file}', got: {error}; {remedy}") from None
    return values
