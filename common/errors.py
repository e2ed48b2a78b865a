"""The one error that a person is meant to read."""

from difflib import get_close_matches
from collections.abc import Iterable


class KitError(ValueError):
    """A mistake in usage, config or data: one line that says what was expected, what came and the remedy.

    The command line prints it without a traceback and exits with code 2.
    """


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint naming the known words nearest to `word`, or all of them if none is near."""
    known = list(known)
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"
