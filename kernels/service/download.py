"""kit download: a competition's data, fetched and unpacked once."""

import os
import time
from pathlib import Path

from common.environment import default_data_dir
from common.errors import KitError
from common.runs import write_json

from ..packing.packed import read_json
from .fetch import fetch, mega, partial_of, size_of, total_of
from .plan import download_plan
from .service import Service, connect
from .slug import slug_of
from .unpack import expect_space, unpack
from .watch import elapsed

MARK = ".download.json"  # in the data folder: all of it is there


def download(competition: str, data: Path | None, dry_run: bool) -> None:
    """Fetch the data of a competition and unpack it; done once, and again where interrupted.

    Raises:
        KitError: it is not on Kaggle, its rules are not accepted, the disk is too small, the
            folder holds other files.
    """
    slug, folder = slug_of(competition), data or default_data_dir(competition)
    archive, mark = folder / f"{slug}.zip", folder / MARK
    known = read_json(mark) if mark.exists() else {}
    if known.get("files"):
        print(f"{folder}: all {known['files']} files of {known['slug']} are there already")
        return
    _expect_ours(folder, archive, competition)
    if dry_run:
        print("\n".join(download_plan(slug, archive, folder)))
        return
    began = time.monotonic()
    if not archive.exists():
        _fetch(connect(), slug, archive)
    size = size_of(archive)
    print(f"unpacking {mega(size)} into {folder}", flush=True)
    write_json(mark, {"slug": slug, "bytes": size, "files": 0})  # the folder is ours from here on
    files = unpack(archive, folder)
    write_json(mark, {"slug": slug, "bytes": size, "files": files})
    archive.unlink()
    print(f"{folder}: {files} files of {slug} in {elapsed(time.monotonic() - began)}")


def _fetch(service: Service, slug: str, archive: Path) -> None:
    answer = service.archive(slug)  # for its size
    answer.close()
    size, there = total_of(answer), size_of(partial_of(archive))
    # Pictures hardly shrink, so they take as much again once they are unpacked.
    expect_space(archive.parent, 2 * size - there, f"{mega(size)} of {slug} and its unpacked files")
    archive.parent.mkdir(parents=True, exist_ok=True)
    goes_on = f", going on at {mega(there)}" if there else ""
    print(f"downloading {slug}, {mega(size)}{goes_on}, to {archive}", flush=True)
    fetch(lambda start, same_as: service.archive(slug, start, same_as), archive)


def _expect_ours(folder: Path, archive: Path, competition: str) -> None:
    """Raise a KitError where files lie that no download of ours has brought."""
    ours = (archive, partial_of(archive), folder / MARK)
    if not folder.is_dir() or not any(folder.iterdir()) or any(p.exists() for p in ours):
        return
    several = Path(os.environ.get("KIT_DATA", "")) == folder
    hint = f"make the folder '{folder / competition}' first, " if several else ""
    raise KitError(
        f"expected an empty place for the data of {competition}, but '{folder}' holds files (its "
        f"data, or demo data), which are left alone; {hint}name another with --data, or delete it"
    )
