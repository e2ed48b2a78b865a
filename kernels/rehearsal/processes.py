"""A tree of processes: who belongs to it, what memory it takes, how it is ended. Linux only."""

import os
import signal
from collections.abc import Iterable
from pathlib import Path

PROC = Path("/proc")
CHARGED = ("Pss_Anon:", "Pss_Shmem:")  # what a limit counts and nobody can take back
GB = 1e9  # bytes


def can_watch() -> bool:
    """Tell whether this system says what its processes take."""
    return (PROC / "self" / "statm").is_file()


def tree(root: int) -> list[int]:
    """Return the process and all below it; children whose parent has gone are not among them."""
    children: dict[int, list[int]] = {}
    for name in (entry.name for entry in PROC.iterdir()):
        if name.isdigit() and (parent := _parent(int(name))):
            children.setdefault(parent, []).append(int(name))
    found = [root]
    for process in found:  # grows while it is walked
        found += children.get(process, [])
    return found


def memory_gb(processes: Iterable[int], ignore_below: float = 0) -> float:
    """Return the memory that the processes take, pages that several share counted once.

    Pages of files, such as a library's code, are left out: they can be given back at any time, and
    their share would fall with every stranger who reads the same files.

    Args:
        ignore_below: GB; the cheap sum of resident pages, which is never smaller, is returned
            where it is not above. The exact one walks through every page table.
    """
    processes = list(processes)
    resident = sum(map(_resident, processes)) / GB
    if resident <= ignore_below:
        return resident
    return sum(map(_proportional, processes)) / GB


def end(processes: Iterable[int]) -> None:
    """Kill them; those that have ended already are no error."""
    for process in processes:
        try:
            os.kill(process, signal.SIGKILL)
        except ProcessLookupError:
            continue


def available_gb() -> float:
    """Return the memory that this machine could still give, in GB."""
    lines = (PROC / "meminfo").read_text().splitlines()
    line = next(line for line in lines if line.startswith("MemAvailable"))
    return int(line.split()[1]) * 1024 / GB


def _parent(process: int) -> int | None:
    try:
        text = (PROC / str(process) / "stat").read_text()
    except OSError:  # ended meanwhile
        return None
    return int(text.rpartition(")")[2].split()[1])  # a name may hold blanks and brackets


def _resident(process: int) -> int:
    try:
        pages = (PROC / str(process) / "statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


def _proportional(process: int) -> int:
    """Return bytes of memory and shared memory; a page of two processes counts half for each."""
    try:
        lines = (PROC / str(process) / "smaps_rollup").read_text().splitlines()
    except OSError:  # ended meanwhile, another user's, or an old kernel
        return _resident(process)
    sizes = [int(line.split()[1]) for line in lines if line.startswith(CHARGED)]
    return sum(sizes) * 1024 if sizes else _resident(process)
