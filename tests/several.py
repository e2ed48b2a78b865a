"""Runs a function in several processes that are one world, as torchrun starts them, but forked."""

import os
import pickle
import socket
import traceback
from pathlib import Path
from tempfile import TemporaryDirectory


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def together(count: int, work, *arguments) -> list:
    """Return what each process's `work(*arguments)` returned; a child's exception is its result.

    Imports are the parent's: a process costs no more than a fork.
    """
    with TemporaryDirectory() as folder:
        port = free_port()
        children = [_start(rank, count, port, folder, work, arguments) for rank in range(count)]
        for child in children:
            os.waitpid(child, 0)
        files = [Path(folder) / str(rank) for rank in range(count)]
        return [pickle.loads(file.read_bytes()) if file.exists() else None for file in files]


def _start(rank: int, count: int, port: int, folder: str, work, arguments) -> int:
    child = os.fork()
    if child:
        return child
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(count))
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    try:
        found = work(*arguments)
    except BaseException as error:
        traceback.print_exc()
        found = error
    try:
        data = pickle.dumps(found)
    except Exception:
        data = pickle.dumps(RuntimeError(repr(found)))
    (Path(folder) / str(rank)).write_bytes(data)
    os._exit(0)
