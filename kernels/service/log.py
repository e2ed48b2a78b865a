"""The log of a kernel's run."""

import json
from typing import Any

from common.errors import KitError

from .service import Service

END = 20  # lines shown of a run that failed


class LogTail:
    """Shows the lines of a log that were not shown before."""

    def __init__(self) -> None:
        self._shown = 0

    def show(self, service: Service, kernel: str) -> None:
        """Show what is new; a log that cannot be had yet is no error."""
        try:
            lines = read_log(service.kernel_output(kernel)[1])
        except KitError:
            return
        for line in lines[self._shown :]:
            print(f"  | {line}", flush=True)
        self._shown = max(self._shown, len(lines))

    @staticmethod
    def show_end(log: str) -> None:
        """Show its last lines."""
        for line in log.splitlines()[-END:]:
            print(f"  | {line}", flush=True)


def read_log(text: str) -> list[str]:
    """Return the lines of a log, which comes as JSON of pieces, whole or not, or as plain text."""
    if not text.lstrip().startswith(("[", "{")):
        return text.splitlines()
    return "".join(_pieces(text)).splitlines()


def _pieces(text: str) -> list[str]:
    try:
        found: Any = json.loads(text)
        return [piece["data"] for piece in found]
    except (json.JSONDecodeError, TypeError, KeyError):
        pass
    pieces = []
    for line in text.splitlines():  # a run that goes on: an array without its end
        try:
            pieces.append(json.loads(line.strip().strip(",").lstrip("[").rstrip("]"))["data"])
        except (json.JSONDecodeError, TypeError, KeyError):
            pieces.append(f"{line}\n")
    return pieces
