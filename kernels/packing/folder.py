"""The folder of a package: what it holds, and what is said of it."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.errors import KitError
from common.kernels_folder import PACKED

PARTS = ("kernel", "wheels", "checkpoints", "pseudo")  # one folder for each object on Kaggle
# What Kaggle takes in one data set: bytes as last heard, files by what its service once answered
# ("The file count exceeds the maximum of 1000"); both were raised before, so that they only warn.
MOST_BYTES, MOST_FILES = 200e9, 1000
PUSHED = ("pushed.json", "output")  # what pushing adds


def empty(folder: Path) -> Path:
    """Return the folder without what was packed before; what was pushed from it is still known.

    Raises:
        KitError: it holds something else.
    """
    there = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if strange := there - {*PARTS, *PUSHED, PACKED}:
        raise KitError(
            f"expected a new folder or an earlier package, got '{folder}' with '{min(strange)}'; "
            "name another"
        )
    for part in PARTS:
        shutil.rmtree(folder / part, ignore_errors=True)
    (folder / PACKED).unlink(missing_ok=True)
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def content(folder: Path) -> list[Path]:
    """Return the files of a package, without what describes it."""
    return [file for part in PARTS for file in sorted((folder / part).glob("*"))]


def report(folder: Path, packed: Mapping[str, Any], modules: int) -> None:
    """Print what is in a package, by size."""
    for part in PARTS:
        files = [file for file in content(folder) if file.parent.name == part]
        if files:
            size = sum(file.stat().st_size for file in files) / 1e6
            names = ", ".join(file.name for file in files if file.suffix != ".json")
            print(f"{part:12} {size:8.2f} MB  {names}")
    for line in too_much(folder):
        print(f"warning: {line}")
    print(f"{modules} modules embedded, each imported from the package alone")
    if packed["dirty"]:
        print(
            f"warning: packed with changes that are not committed: {', '.join(packed['changed'])}"
        )
    follows = {"predict": "rehearse {}", "train": "push {} --train"}[packed["kind"]]
    print(f"packed: {folder}\nnext:   kit kernel {follows.format(packed['competition'])}")


def too_much(folder: Path) -> list[str]:
    """Return a line for each data set that is larger, or has more files, than Kaggle takes."""
    remedies = {"checkpoints": "pack fewer runs", "wheels": "carry fewer libraries"}
    lines = []
    for part, remedy in remedies.items():
        sizes = [file.stat().st_size for file in content(folder) if file.parent.name == part]
        if sum(sizes) > MOST_BYTES or len(sizes) > MOST_FILES:
            lines.append(
                f"expected at most {MOST_BYTES / 1e9:.0f} GB and {MOST_FILES} files in a data set, "
                f"as Kaggle takes it, got {sum(sizes) / 1e9:.1f} GB in {len(sizes)} files of "
                f"{part}; {remedy}, or a push will be refused"
            )
    return lines
