"""The one error that a person is meant to read."""

from collections.abc import Iterable
from difflib import get_close_matches


class KitError(ValueError):
    """A mistake in usage, config or data; one line: what was expected, what came, the remedy.

    The command line prints it without a traceback and exits with code 2.
    """


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint naming the known words nearest to `word`, or all of them if none is near."""
    known = list(known)
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known)}"


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
