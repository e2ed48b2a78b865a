"""Where the bytes of a file are: in a file of its own, or in a part of an uncompressed tar shard.

A member of a shard is named by its place, "train/train-00000.tar!1536+48211/a.jpg": 48 211 bytes
from byte 1536 of the shard on are the file "a.jpg". Such a name says all that reading takes, so
that any sample can be read at any time, as folds, samplers and resuming need it; its last part is
the file's own name, so that ids and suffixes are what they are for files. A shard is a tar as
Python's tarfile and WebDataset (https://github.com/webdataset/webdataset) read and write it.
"""

import io
import os
import re
from pathlib import Path
from typing import BinaryIO, NamedTuple

from common.errors import KitError

FilePath = str | os.PathLike[str]
BLOCK = 512  # bytes of a tar's header, which stands before each member
SUFFIX = ".tar"
PLACE = re.compile(r"(?P<shard>.*\.tar)!(?P<offset>\d+)\+(?P<size>\d+)/(?P<name>.*)", re.DOTALL)
REMEDY = "copy the shard again, or write it again by kit shards"


class Member(NamedTuple):
    """A file within a tar shard."""

    shard: str
    offset: int  # of its first byte
    size: int  # bytes
    name: str

    @property
    def path(self) -> Path:
        """What stands for it in a frame's column of paths."""
        return Path(f"{self.shard}!{self.offset}+{self.size}") / self.name

    def expect(self, what: str, got: object) -> KitError:
        """Return the error of a shard that is not what it should be."""
        return KitError(
            f"expected {what} of '{self.name}' at byte {self.offset} of the shard '{self.shard}', "
            f"got {got}; {REMEDY}"
        )


def member_of(path: FilePath) -> Member | None:
    """Return which member of which shard a path names; None of a file of its own."""
    text = os.fspath(path)
    match = PLACE.fullmatch(text) if f"{SUFFIX}!" in text else None
    return match and Member(match["shard"], int(match["offset"]), int(match["size"]), match["name"])


def read_stored(path: FilePath, count: int = -1) -> bytes:
    """Return the bytes of a file or a member, at most `count` of them unless it is negative.

    Raises:
        OSError: there is no such file, or no such shard.
        KitError: the shard is cut off, or holds something else there.
    """
    member = member_of(path)
    if member is None:
        with open(path, "rb") as file:  # noqa: PTH123, for Path.open costs a third more per image
            return file.read(count)
    length = member.size if count < 0 else min(count, member.size)
    with open(member.shard, "rb", buffering=0) as shard:  # noqa: PTH123
        shard.seek(member.offset - BLOCK)
        data = _read_exactly(shard, BLOCK + length)
    if len(data) < BLOCK + length:
        raise member.expect(f"{length} bytes", f"{max(len(data) - BLOCK, 0)}, for it is cut off")
    _check_header(data[:BLOCK], member)
    return data[BLOCK:]


def open_stored(path: FilePath) -> FilePath | BinaryIO:
    """Return what Pillow opens to read parts of a file: its path, or a view of a member."""
    member = member_of(path)
    return path if member is None else io.BufferedReader(_View(member))


def state_of(path: FilePath) -> tuple[int, int]:
    """Return the size in bytes and the time of the last change in nanoseconds.

    Raises:
        OSError: there is no such file, or no such shard.
        KitError: the shard ends before the member does.
    """
    member = member_of(path)
    state = os.stat(path if member is None else member.shard)  # noqa: PTH116, half the time
    if member is None:
        return state.st_size, state.st_mtime_ns
    if state.st_size < member.offset + member.size:
        there = max(state.st_size - member.offset, 0)
        raise member.expect(f"{member.size} bytes", f"{there}, for it is cut off")
    return member.size, state.st_mtime_ns


def is_stored(path: FilePath) -> bool:
    """Return whether there is such a file, or such a shard."""
    member = member_of(path)
    return Path(path if member is None else member.shard).is_file()


def _read_exactly(file: io.FileIO, count: int) -> bytes:
    parts, left = [], count
    while left and (part := file.read(left)):  # one call reads up to 2 GB
        parts.append(part)
        left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _check_header(header: bytes, member: Member) -> None:
    """Raise KitError unless a member of this name and size begins here."""
    name = header[:100].rstrip(b"\0").decode("utf-8", "replace")
    size = header[124:136].strip(b" \0")
    long = len(member.name.encode()) > 80 or not member.name.isascii()  # told by another header
    told = name.endswith(member.name) or long
    if header[257:262] != b"ustar" or not told or not re.fullmatch(rb"[0-7]*", size):
        raise member.expect("the header", "something else")
    if int(size or b"0", 8) != member.size:
        raise member.expect(f"{member.size} bytes", f"a file of {int(size or b'0', 8)}")


class _View(io.RawIOBase):
    """A member of a shard as a file of its own."""

    def __init__(self, member: Member) -> None:
        self.member, self.place = member, 0
        self.shard = open(member.shard, "rb", buffering=0)  # noqa: PTH123, SIM115 - closed below
        self.shard.seek(member.offset - BLOCK)
        _check_header(self.shard.read(BLOCK), member)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self.place, io.SEEK_END: self.member.size}[whence]
        self.place = max(start + offset, 0)
        return self.place

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override]
        count = max(min(len(buffer), self.member.size - self.place), 0)
        self.shard.seek(self.member.offset + self.place)
        data = self.shard.read(count)
        buffer[: len(data)] = data
        self.place += len(data)
        return len(data)

    def close(self) -> None:
        self.shard.close()
        super().close()
