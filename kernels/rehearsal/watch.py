"""Watching a running kernel's time, memory and disk, and stopping it above a limit."""

import os
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import processes

RESERVE = 0.7  # GB of this machine's memory that a kernel is not let have
INTERVALS = (0.05, 0.5)  # seconds between two looks at the processes: at first, later
Stopped = Literal["", "time", "memory", "machine memory", "disk"]


@dataclass(frozen=True)
class Limits:
    """What Kaggle grants."""

    seconds: float
    memory_gb: float
    working_gb: float
    internet: bool = False


class Watch:
    """Looks at a running kernel again and again, and stops it above a limit."""

    def __init__(self, limits: Limits, memory: bool, working: Path) -> None:
        self.limits, self.memory, self.working = limits, memory, working
        self.stopped: Stopped = ""
        self.seconds = self.memory_gb = self.working_gb = 0.0
        self.most = processes.available_gb() - RESERVE if memory else 0

    def follow(self, entry: "subprocess.Popen[bytes]") -> None:
        """Return when the kernel has ended or exceeded a limit."""
        began, (first, last) = time.monotonic(), INTERVALS
        while not self.stopped:
            with suppress(subprocess.TimeoutExpired):
                entry.wait(min(last, first + self.seconds / 100))
            self.seconds = time.monotonic() - began
            self.working_gb = max(self.working_gb, folder_gb(self.working))
            if entry.returncode is None and self.memory:
                kernel = processes.tree(entry.pid)[1:]
                used = processes.memory_gb(kernel, ignore_below=self.memory_gb)
                self.memory_gb = max(self.memory_gb, used)
            self.stopped = self._exceeded()
            if entry.returncode is not None:
                return

    def end(self, entry: "subprocess.Popen[bytes]") -> None:
        """Kill what is left; the entry does so with what it has adopted, and then ends itself."""
        if entry.poll() is None:
            entry.terminate()
        try:
            entry.wait(10)
        except subprocess.TimeoutExpired:
            processes.end(reversed(processes.tree(entry.pid)))
            entry.wait()

    def _exceeded(self) -> Stopped:
        if self.memory_gb > self.limits.memory_gb:
            return "memory"
        if self.memory and self.memory_gb > self.most:
            return "machine memory"
        if self.working_gb > self.limits.working_gb:
            return "disk"
        return "time" if self.seconds > self.limits.seconds else ""


def folder_gb(folder: Path) -> float:
    """Return what the files below take on disk, in GB; those that vanish meanwhile take nothing."""
    total, folders = 0, [str(folder)]
    while folders:
        here = folders.pop()
        with suppress(OSError):
            for entry in os.scandir(here):
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
    return total / processes.GB
