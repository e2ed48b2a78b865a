"""One process per run folder: the second one is told who the first is."""

import os
import platform
import time
from pathlib import Path
from typing import TextIO

from common.errors import KitError, cannot_write

LOCK = ".lock"
HELD: dict[Path, TextIO] = {}  # open files of this process's locks


class Taken(KitError):
    """Another process has the folder; `owner` says which."""

    def __init__(self, message: str, owner: str) -> None:
        super().__init__(message)
        self.owner = owner


def lock_run(folder: Path) -> None:
    """Make the folder this process's own until `unlock_run` or its end, however that comes.

    A lock of the system (POSIX record lock): it goes with its process and is not inherited by
    workers, so that none is ever left behind.

    Raises:
        Taken: another process has it.
        KitError: the folder cannot be written.
    """
    path = folder.resolve() / LOCK
    if path in HELD:
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("a+")
    except OSError as error:
        raise cannot_write(folder, error) from None
    if not _lock(file):
        file.seek(0)
        owner = file.read().strip() or "another process"
        file.close()
        raise Taken(
            f"expected to be alone in '{folder}', but {owner} is training there; "
            "wait for it, stop it, or store this run elsewhere by --name",
            owner,
        )
    file.truncate(0)
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    file.write(f"process {os.getpid()} of {platform.node()}, since {since},\n")
    file.flush()
    HELD[path] = file


def unlock_run(folder: Path) -> None:
    """Let others have the folder."""
    file = HELD.pop(folder.resolve() / LOCK, None)
    if file:
        file.close()


def _lock(file: TextIO) -> bool:
    try:
        import fcntl
    except ImportError:  # no POSIX: no lock
        return True
    try:
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:  # a file system without locks
        return True
    return True
