"""kit shards."""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from common.competition import Competition
from common.data.frame import SUFFIXES
from common.data.shards import write_shards
from common.environment import data_dir
from common.errors import KitError, cannot_write


def shard_data(name: str, given_data: Path | None, out: Path | None, most_bytes: float) -> None:
    """Write a competition's data into another folder, the images of each folder as tar shards.

    What is no image is copied as it is, so that the new folder is the data folder from then on.

    Args:
        most_bytes: of a shard.

    Raises:
        KitError: the other folder holds files, the disk is full, or there are no images.
    """
    Competition.find(name)
    source = data_dir(name, given_data)
    target = out or source.resolve().with_name(f"{source.resolve().name}-shards")
    _expect_room(source, target)
    started, images, shards, others = time.monotonic(), 0, 0, 0
    for folder, files in _folders(source):
        place = target / folder.relative_to(source)
        pictures = [file for file in files if file.suffix.lower() in SUFFIXES]
        others += _copy(sorted({*files} - {*pictures}), place)
        if pictures:
            shards += len(write_shards(pictures, place, most_bytes))
            images += len(pictures)
            print(f"{place}: {len(pictures)} images", flush=True)
    if not images:
        raise KitError(f"expected images ({' '.join(SUFFIXES)}) below '{source}', found none")
    seconds = time.monotonic() - started
    print(f"wrote {images} images in {shards} shards, {others} other files, in {seconds:.1f} s")
    print(f"next: kit train {name} --data {target}")


def _expect_room(source: Path, target: Path) -> None:
    if target.exists() and any(target.iterdir()):
        raise KitError(
            f"expected an empty place for shards, but '{target}' holds files; they are left alone: "
            "name another folder with --out, or delete it"
        )
    if source.resolve() in target.resolve().parents:
        raise KitError(f"expected a place outside the data, got '{target}'; name another by --out")


def _folders(root: Path) -> Iterator[tuple[Path, list[Path]]]:
    """Yield the folders and their files, sorted; hidden ones are left out."""
    for folder, names, files in os.walk(root, followlinks=True):
        names[:] = sorted(name for name in names if not name.startswith("."))
        yield Path(folder), [Path(folder) / name for name in sorted(files) if name[0] != "."]


def _copy(files: list[Path], place: Path) -> int:
    try:
        place.mkdir(parents=True, exist_ok=True)
        for file in files:
            shutil.copyfile(file, place / file.name)
    except OSError as error:
        raise cannot_write(place, error) from error
    return len(files)
