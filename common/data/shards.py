"""Images in tar shards: written with an index of where each begins, and listed like files."""

import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd

from common.data.partial import partial
from common.data.stored import BLOCK, SUFFIX, Member
from common.errors import KitError, cannot_write

INDEX = "shards.parquet"  # beside the shards: a row per member
COLUMNS = ("shard", "offset", "size", "name")


def write_shards(files: Sequence[Path], folder: Path, most_bytes: float) -> list[Path]:
    """Write files of one folder, in their order, into shards `<folder>-00000.tar`, and the index.

    Owners and times are left out, so that the same files give the same shards. The index comes
    last: shards without one are read by their headers, more slowly.

    Args:
        files: each is known by its name.
        folder: where the shards go; made if need be.
        most_bytes: of a shard; a larger file has one of its own.

    Raises:
        KitError: the disk is full or a file cannot be read.
    """
    shards: list[Path] = []
    rows: list[Member] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for number, part in enumerate(_parts(files, most_bytes)):
            shards.append(folder / f"{folder.resolve().name}-{number:05d}{SUFFIX}")
            rows += _write_shard(part, shards[-1])
        table = pd.DataFrame([(Path(row.shard).name, *row[1:]) for row in rows], columns=COLUMNS)
        table.to_parquet(partial_index := partial(folder / INDEX), index=False)
        partial_index.replace(folder / INDEX)
    except OSError as error:
        raise cannot_write(folder, error) from error
    return shards


def _parts(files: Sequence[Path], most_bytes: float) -> Iterator[list[Path]]:
    part, total = list[Path](), 0
    for file in files:
        size = file.stat().st_size + 2 * BLOCK
        if part and total + size > most_bytes:
            yield part
            part, total = [], 0
        part.append(file)
        total += size
    if part:
        yield part


def _write_shard(files: Iterable[Path], shard: Path) -> list[Member]:
    temporary = partial(shard)
    with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
        for file in files:
            member = tarfile.TarInfo(file.name)
            with file.open("rb") as opened:
                member.size = file.stat().st_size
                tar.addfile(member, opened)
    temporary.replace(shard)
    return scan_shard(shard)


def scan_shard(shard: Path) -> list[Member]:
    """Return the members that a shard's headers tell, without reading what is in them.

    Raises:
        KitError: it is no uncompressed tar, or damaged.
    """
    members = []
    try:
        with tarfile.open(shard, "r:") as tar:
            for info in tar:
                if info.isfile() and not info.issparse():
                    name = info.name.removeprefix("./")
                    members.append(Member(str(shard), info.offset_data, info.size, name))
    except (tarfile.TarError, OSError) as error:
        raise KitError(
            f"expected an uncompressed tar in '{shard}', got: {error}; copy it again, or write it "
            "again by kit shards"
        ) from None
    return members


def list_members(shards: Iterable[Path]) -> Iterator[Member]:
    """Yield all members of shards, as their folders' indices tell them, else their headers.

    Raises:
        KitError: an index that cannot be read, or tells of a shard that is not there.
    """
    by_folder: dict[Path, list[Path]] = {}
    for shard in sorted(shards):
        by_folder.setdefault(shard.parent, []).append(shard)
    for folder, found in by_folder.items():
        index = _read_index(folder, [shard.name for shard in found])
        for shard in found:
            yield from index[shard.name] if shard.name in index else scan_shard(shard)


def _read_index(folder: Path, there: Sequence[str]) -> Mapping[str, list[Member]]:
    file = folder / INDEX
    if not file.is_file():
        return {}
    try:
        table = pd.read_parquet(file, columns=list(COLUMNS))
    except Exception as error:  # of pyarrow, which has no common base class
        raise KitError(
            f"expected an index of shards in '{file}', got: {error}; delete it: shards are read "
            "without one, only found more slowly"
        ) from None
    index: dict[str, list[Member]] = {}
    for shard, offset, size, name in table.itertuples(index=False):
        index.setdefault(shard, []).append(Member(f"{folder / shard}", offset, size, name))
    if lost := sorted(index.keys() - set(there)):
        raise KitError(
            f"expected the shard '{folder / lost[0]}', found none ({len(lost)} of {len(index)} are "
            "missing); copy them again"
        )
    return index
