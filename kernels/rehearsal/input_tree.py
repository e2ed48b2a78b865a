"""Inputs as Kaggle lays them out, made of this machine's files without moving them."""

import os
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

COPIED = 1e9  # bytes; where nothing can be mounted, larger parts are links to the data itself
DATA_SET_FILES = ("dataset-metadata.json",)  # for the upload; Kaggle does not show them


@dataclass(frozen=True)
class Part:
    """A file or folder and its place below /kaggle/input."""

    source: Path
    place: str


def data_sets(packed: Path, names: dict[str, str]) -> list[Part]:
    """Return the packed data sets, a part per file; `names`: folder -> "owner/slug"."""
    return [
        Part(file.resolve(), f"datasets/{name}/{file.relative_to(packed / folder).as_posix()}")
        for folder, name in names.items()
        for file in sorted((packed / folder).rglob("*"))
        if file.is_file() and file.name not in DATA_SET_FILES
    ]


def competition_data(folder: Path, slug: str, new: Path | None = None) -> list[Part]:
    """Return a competition's files; those in `new`, a tree like it, take the place of the old.

    A folder that `new` has and that has no subfolders there replaces the old one as a whole.
    """
    top = f"competitions/{slug}"
    if new is None:
        return [Part(folder.resolve(), top)]
    return list(_merged(folder.resolve(), new, top))


def place_for_mounts(inputs: Path, parts: Sequence[Part], top: str) -> list[tuple[str, str, bool]]:
    """Make empty files and folders to mount the parts on; return (from, to, read-only)."""
    for part in parts:
        place = inputs / part.place
        (place if part.source.is_dir() else place.parent).mkdir(parents=True, exist_ok=True)
        if part.source.is_file():
            place.touch()
    return [(str(part.source), f"{top}/{part.place}", True) for part in parts]


def place_for_links(inputs: Path, parts: Sequence[Part]) -> None:
    """Make read-only copies of the parts, or links to those that are large."""
    for part in parts:
        place = inputs / part.place
        place.parent.mkdir(parents=True, exist_ok=True)
        if sum(size for _, size, _ in stamps([part])) > COPIED:
            place.symlink_to(part.source)
        elif part.source.is_dir():
            shutil.copytree(part.source, place)
        else:
            shutil.copyfile(part.source, place)
    _allow_writing(inputs, False)


@contextmanager
def hold_open(inputs: Path) -> Iterator[None]:
    """Let the tree be removed afterwards, whatever was made read-only."""
    try:
        yield
    finally:
        _allow_writing(inputs, True)


def stamps(parts: Sequence[Part]) -> set[tuple[str, int, int]]:
    """Return path, bytes and time of change of every file of the parts."""
    found = set()
    for part in parts:
        files = part.source.rglob("*") if part.source.is_dir() else [part.source]
        for file in files:
            if file.is_file():
                known = file.stat()
                found.add((str(file), known.st_size, known.st_mtime_ns))
    return found


def _merged(old: Path, new: Path, place: str) -> Iterator[Part]:
    replaced = {entry.name: entry for entry in new.iterdir()}
    for entry in sorted(old.iterdir()):
        if entry.name not in replaced:
            yield Part(entry.resolve(), f"{place}/{entry.name}")
    for name, entry in sorted(replaced.items()):
        deeper = entry.is_dir() and any(below.is_dir() for below in entry.iterdir())
        if deeper and (old / name).is_dir():
            yield from _merged(old / name, entry, f"{place}/{name}")
        else:
            yield Part(entry.resolve(), f"{place}/{name}")


def _allow_writing(folder: Path, allowed: bool) -> None:
    writing = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH
    for here, folders, files in os.walk(folder):
        for path in (Path(here), *(Path(here, name) for name in (*folders, *files))):
            if not path.is_symlink():  # not through it, to the data
                mode = path.stat().st_mode
                path.chmod(mode | stat.S_IWUSR if allowed else mode & ~writing)
