"""The one error that a person is meant to read."""

from collections.abc import Iterable
from difflib import get_close_matches

SHOWN = 30  # known words that a hint spells out


class KitError(ValueError):
    """A mistake in usage, config or data; one line: what was expected, what came, the remedy.

    The command line prints it without a traceback and exits with code 2.
    """


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint naming the known word nearest to `word`, or the first ones if none is near."""
    known = list(known)
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    more = f", ... ({len(known)} in all)" if len(known) > SHOWN else ""
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known[:SHOWN])}{more}"


def cannot_write(path: object, error: Exception, kept: str = "") -> KitError:
    """Return the error of a disk that is full or a folder that is read-only.

    Args:
        kept: what is still there.
    """
    reason = getattr(error, "strerror", None) or error
    return KitError(
        f"expected to write '{path}', got: {reason}; {kept}free disk space, or name another place "
        "with --runs or KIT_RUNS"
    )
