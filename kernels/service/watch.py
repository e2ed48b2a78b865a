"""Waiting for something that runs on Kaggle, with a line whenever there is news."""

import time
from collections.abc import Callable, Collection

EVERY = 15.0  # seconds between looks
SAID = 60.0  # seconds between lines while nothing changes


class Rhythm:
    """Tells when the next line is due; `seconds` is the time since it began."""

    def __init__(self) -> None:
        self._began = self._last = time.monotonic()

    @property
    def seconds(self) -> float:
        """Time since it began."""
        return time.monotonic() - self._began

    def is_due(self) -> bool:
        """Return whether `SAID` has passed since the last time it was."""
        if time.monotonic() - self._last < SAID:
            return False
        self._last = time.monotonic()
        return True


def elapsed(seconds: float) -> str:
    """Return 75 as "1 min 15 s"."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def follow(
    what: str, look: Callable[[], str], ended: Collection[str], goes_on: str, limit: float = 0
) -> str:
    """Look until the status is among `ended`, and return it.

    Args:
        goes_on: what to say when the person interrupts: it is not stopped by that.
        limit: seconds after which the last status is returned, whatever it is; 0 = none.
    """
    before, rhythm = None, Rhythm()
    try:
        while True:
            status = look()
            if status != before or rhythm.is_due():
                print(
                    f"{what}: {status or 'not there yet'} ({elapsed(rhythm.seconds)})", flush=True
                )
            if status in ended or (limit and rhythm.seconds > limit):
                return status
            before = status
            time.sleep(EVERY)
    except KeyboardInterrupt:
        print(f"\n{goes_on}", flush=True)
        raise
