"""torch files that carry a checksum of themselves, and are replaced in one move."""

import hashlib
import os
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

# The checksum is the zip's own comment, so any reader of torch files still reads them.
MARK = b"kit-sha256:"
SIZE = len(MARK) + hashlib.sha256().digest_size * 2  # bytes of the comment
LENGTH = SIZE.to_bytes(2, "little")  # which stands before the comment
BLOCK = 2**20  # bytes read at once


class Hashing(BytesIO):
    """A file that is only written to, with the checksum of what was."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self.file, self.digest = file, hashlib.sha256()

    def write(self, data: Any) -> int:
        """Write and hash."""
        self.digest.update(data)
        return self.file.write(data)

    def flush(self) -> None:
        """Pass on."""
        self.file.flush()


def write_sealed(path: Path, content: Any) -> None:
    """Write what `torch.save` would, with its checksum, and wait until the disk has it."""
    import torch

    with path.open("wb") as file:
        hashing = Hashing(file)
        torch.save(content, hashing)
        file.seek(-2, os.SEEK_END)  # a zip ends with the length of its comment
        file.write(LENGTH + MARK + hashing.digest.hexdigest().encode())
        file.flush()
        os.fsync(file.fileno())


def find_damage(path: Path) -> str:
    """Return what is wrong with a sealed file, or nothing if it is as it was written."""
    rest = path.stat().st_size - SIZE - 2
    with path.open("rb") as file:
        file.seek(max(rest, 0))
        mark, told = file.read(2 + len(MARK)), file.read()
        if rest < 0 or mark != LENGTH + MARK:
            return "it is cut off, its checksum is missing"
        file.seek(0)
        digest = hashlib.sha256()
        while rest > 0:
            block = file.read(min(rest, BLOCK))
            digest.update(block)
            rest -= len(block)
    digest.update(b"\0\0")  # the length of the comment before there was one
    return "" if digest.hexdigest().encode() == told else "its checksum does not fit"


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names in a folder, where the system can do that."""
    try:
        number = os.open(folder, os.O_RDONLY)
    except OSError:  # no system but POSIX opens folders
        return
    try:
        os.fsync(number)
    except OSError:  # some network file systems do not sync folders
        pass
    finally:
        os.close(number)
