"""Unpacking archives of others: nothing is written outside the folder, or onto a full disk."""

import re
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from common.errors import KitError, cannot_write

from .fetch import mega

SPARE = 1 << 30  # bytes that stay free
DEEP = 3  # archives within archives


def expect_space(folder: Path, needed: int, what: str) -> None:
    """Raise a KitError if the disk has not as many bytes free, with a rest."""
    place = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    free = shutil.disk_usage(place).free
    if free < needed + SPARE:
        raise KitError(
            f"expected {mega(needed + SPARE)} free in '{folder}' for {what}, got {mega(free)}; "
            "free some, or name another place with --data or KIT_DATA"
        )


def unpack(archive: Path, folder: Path, deep: int = DEEP) -> int:
    """Unpack an archive, and those within it, which are removed; return the number of files.

    What is there with the right size is left, so that an interrupted call can be repeated.

    Raises:
        KitError: a name in it leads out of the folder, it is damaged, or the disk is too small.
    """
    try:
        with zipfile.ZipFile(archive) as opened:
            members = [member for member in opened.infolist() if not member.is_dir()]
            _expect_inside(archive, members)
            missing = [m for m in members if not _is_there(m, folder)]
            needed = sum(member.file_size for member in missing)
            expect_space(folder, needed, f"what '{archive.name}' holds")
            for member in missing:
                opened.extract(member, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise KitError(
            f"expected a whole archive '{archive}', got: {error}; delete it and run this again"
        ) from None
    except OSError as error:
        raise cannot_write(folder, error) from error
    inner = [folder / m.filename for m in members if deep and _is_archive(folder / m.filename)]
    return len(members) - len(inner) + sum(_unpack_inner(path, deep - 1) for path in inner)


def _unpack_inner(archive: Path, deep: int) -> int:
    """Unpack it beside itself; into a folder of its name, unless it brings that along."""
    with zipfile.ZipFile(archive) as opened:
        tops = {PurePosixPath(name).parts[0] for name in opened.namelist() if name.strip("/")}
    folder = archive.parent if tops == {archive.stem} else archive.with_suffix("")
    count = unpack(archive, folder, deep)
    archive.unlink()
    return count


def _is_archive(path: Path) -> bool:
    return path.suffix.lower() == ".zip" and zipfile.is_zipfile(path)


def _is_there(member: zipfile.ZipInfo, folder: Path) -> bool:
    path = folder / member.filename
    return path.is_file() and path.stat().st_size == member.file_size


def _expect_inside(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    for member in members:
        name = member.filename
        leads_out = name.startswith("/") or ".." in re.split(r"[/\\]", name)
        leads_out = leads_out or bool(re.match(r"[A-Za-z]:|\\", name))
        if leads_out or stat.S_ISLNK(member.external_attr >> 16):
            raise KitError(
                f"expected names within the data folder, got '{name}' in '{archive}'; nothing "
                "was unpacked: do not trust this archive"
            )
