"""What a check says: how bad it is, what was found, what to do."""

from typing import Literal, NamedTuple

Status = Literal["ok", "warning", "problem"]


class Finding(NamedTuple):
    """One row of the table of checks.

    `problem`: the run cannot succeed. `warning`: it runs, but what it says may mislead.
    """

    check: str  # what was looked at, in a word or two
    status: Status
    found: str
    remedy: str = ""


def ok(check: str, found: str) -> Finding:
    """Return the finding that all is well."""
    return Finding(check, "ok", found)


def warning(check: str, found: str, remedy: str) -> Finding:
    """Return a finding that the run can live with."""
    return Finding(check, "warning", found, remedy)


def problem(check: str, found: str, remedy: str) -> Finding:
    """Return a finding that the run cannot live with."""
    return Finding(check, "problem", found, remedy)
