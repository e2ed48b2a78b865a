"""Downloads that go on where they were interrupted, in this process or in a later one."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import requests

from common.errors import KitError, cannot_write

from .asking import LONGEST, PAUSE, TRIES, reason
from .ranges import BEYOND
from .watch import Rhythm, elapsed

CHUNK = 1 << 16  # bytes; less than that is lost where a connection breaks
Opening = Callable[[int, str], requests.Response]  # from a byte on, if still the same as that tag


def fetch(opening: Opening, target: Path) -> Path:
    """Download into `target`; until it is whole, what came lies beside it as `.partial`.

    Raises:
        KitError: it ended too early again and again, or the disk is full; what came is kept.
    """
    tried, partial = 0, partial_of(target)
    while tried < TRIES:
        before = size_of(partial)
        try:
            if _take(opening, partial):
                partial.replace(target)
                _note(partial).unlink(missing_ok=True)
                return target
            why = "the connection ended"
        except requests.RequestException as error:
            why = reason(error)
        except OSError as error:
            raise cannot_write(partial, error, "what came is kept; ") from error
        tried = 1 if size_of(partial) > before else tried + 1
        pause = min(PAUSE * 2 ** (tried - 1), LONGEST)
        print(f"  {why} at {mega(size_of(partial))}; going on in {pause:.0f} s", flush=True)
        time.sleep(pause)
    raise KitError(
        f"expected all of '{target.name}', got {mega(size_of(partial))} of it ({why}); run this "
        "again: it goes on there"
    )


def partial_of(target: Path) -> Path:
    """Return where a download lies until it is whole."""
    return target.with_name(f"{target.name}.partial")


def size_of(file: Path) -> int:
    """Return its bytes, 0 if it is not there."""
    return file.stat().st_size if file.exists() else 0


def mega(size: float) -> str:
    """Return a number of bytes as a person reads it."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size:.0f} bytes"


def total_of(answer: requests.Response, start: int = 0) -> int:
    """Return the size of the whole file that an answer, from byte `start` on, belongs to; or 0."""
    whole = answer.headers.get("Content-Range", "").rpartition("/")[2]
    if whole.isdigit():
        return int(whole)
    length = answer.headers.get("Content-Length", "")
    return start + int(length) if length.isdigit() else 0


def _take(opening: Opening, partial: Path) -> bool:
    """Append what comes; return whether the file is whole."""
    start, note = size_of(partial), _note(partial)
    tag = json.loads(note.read_text())["tag"] if note.exists() else ""
    answer = opening(start if tag else 0, tag)  # without its tag, it may be another file's
    with answer:
        goes_on = answer.status_code == 206
        total = total_of(answer, start if goes_on else 0)
        if answer.status_code == BEYOND and total == start:
            return True
        if answer.status_code == BEYOND or (goes_on and _tag(answer) != tag):  # another file by now
            partial.unlink()
            return False
        note.write_text(json.dumps({"tag": _tag(answer), "bytes": total}))
        return _write(answer, partial, goes_on, total)


def _tag(answer: requests.Response) -> str:
    """Return what tells a file from its next version; a weak tag does not tell its bytes."""
    tag = answer.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else answer.headers.get("Last-Modified", "")


def _write(answer: requests.Response, partial: Path, goes_on: bool, total: int) -> bool:
    rhythm, start = Rhythm(), size_of(partial) if goes_on else 0
    with partial.open("ab" if goes_on else "wb") as out:
        for chunk in answer.iter_content(CHUNK):
            out.write(chunk)
            if rhythm.is_due():
                done = out.tell()
                rate = max(done - start, 1) / max(rhythm.seconds, 1e-3)
                left = f", {elapsed((total - done) / rate)} left" if total else ""
                print(f"  {mega(done)} of {mega(total)}, {mega(rate)}/s{left}", flush=True)
    return not total or size_of(partial) == total


def _note(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")
