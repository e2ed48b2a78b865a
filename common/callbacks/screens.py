"""Where a line of progress can be shown: on a terminal, in a notebook, in a plain log."""

import os
import shutil
import sys
from typing import Any, Protocol

CLEAR = "\r\033[K"


class Screen(Protocol):
    """Shows a line until the next one takes its place; `every` is how many seconds it stays."""

    every: float

    def show(self, line: str) -> None:
        """Show a line of progress."""

    def wipe(self) -> None:
        """Take the last line away, so that lasting ones can be printed."""


class Terminal:
    """Writes over the line where the cursor is."""

    every = 0.25

    def show(self, line: str) -> None:
        """Show as much of the line as fits: one that wraps could not be taken away again."""
        print(CLEAR + line[: shutil.get_terminal_size().columns - 1], end="", flush=True)

    def wipe(self) -> None:
        """Clear the line."""
        print(CLEAR, end="", flush=True)


class Notebook:
    """Changes an output of its own, of which a saved notebook keeps the last state only."""

    every = 1.0

    def __init__(self) -> None:
        self.handle: Any = None

    def show(self, line: str) -> None:
        """Change the output, or make it."""
        from IPython.display import display

        content = {"text/plain": line}
        if self.handle is None:
            self.handle = display(content, raw=True, display_id=True)
        else:
            self.handle.update(content, raw=True)

    def wipe(self) -> None:
        """Empty the output."""
        if self.handle is not None:
            self.handle.update({"text/plain": ""}, raw=True)


class Plain:
    """Prints lines that stay, and so only a few: one after a minute of silence says all is well."""

    every = 60.0

    def show(self, line: str) -> None:
        """Print the line."""
        print(line, flush=True)

    def wipe(self) -> None:
        """Do nothing."""


def find_screen() -> Screen:
    """Return what fits standard output.

    A notebook that runs unattended, and a command that a notebook starts, leave plain lines: there
    everything printed is kept, each state of a moving line too.
    """
    unattended = os.environ.get("KAGGLE_KERNEL_RUN_TYPE") == "Batch"
    if _in_kernel():
        return Plain() if unattended else Notebook()
    started_by_notebook = unattended or "JPY_PARENT_PID" in os.environ
    moves = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    return Terminal() if moves and not started_by_notebook else Plain()


def _in_kernel() -> bool:
    get = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get is not None and type(get()).__name__ == "ZMQInteractiveShell"
