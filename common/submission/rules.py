"""What a competition allows in a submission, and how a finding about it is told."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from common.errors import KitError

Severity = Literal["error", "warning"]
MAX_PER_KIND = 5  # findings of one kind that are written out before "and N more"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a submission, and where.

    `row` is the line that an editor shows (the header is line 1); for an id that is missing it is
    the line on which the sample has it. `severity` is "error" where Kaggle would reject or
    mis-score the file.
    """

    severity: Severity
    row: int | None
    column: str | None
    message: str

    def __str__(self) -> str:
        place = [f"line {self.row}"] if self.row is not None else []
        place += [f"column {self.column!r}"] if self.column is not None else []
        return ": ".join(part for part in (self.severity, ", ".join(place), self.message) if part)


@dataclass(frozen=True)
class SubmissionRules:
    """What a competition allows; the default allows what its sample submission shows."""

    id_column: str | None = None  # None: the first column of the sample
    low: float | None = None  # smallest allowed value of numeric targets, inclusive
    high: float | None = None  # largest allowed value of numeric targets, inclusive
    choices: tuple[str, ...] | None = None  # allowed values of string targets (class names)
    allow_empty: bool = False  # whether an empty string is a prediction (no box, empty mask)
    ordered: bool = True  # False: another order than the sample's only warns
    parse: Callable[[str], str | None] | None = None  # complaint about one string cell, or None
    dtype: Literal["integer", "real", "text"] | None = None  # of all targets; None: the sample's
    unique_ids: bool = True  # False where one image may take several rows

    def __post_init__(self) -> None:
        if self.low is not None and self.high is not None and self.low > self.high:
            raise KitError(f"expected low <= high, got {self.low} > {self.high}; swap them")


DEFAULT_RULES = SubmissionRules()


def report(
    severity: Severity,
    column: str | None,
    kind: str,
    indices: np.ndarray,
    lines: np.ndarray,
    describe: Callable[[int], str],
) -> list[Finding]:
    """Return the findings of one kind, the first few written out and the others counted.

    Args:
        indices: (K,) rows concerned, ascending.
        lines: (N,) line number of every row.
        describe: the message about one row.
    """
    first = indices[:MAX_PER_KIND].tolist()
    findings = [Finding(severity, int(lines[i]), column, describe(i)) for i in first]
    rest = len(indices) - MAX_PER_KIND
    if rest > 0:
        line = int(lines[indices[MAX_PER_KIND]])
        findings.append(Finding(severity, line, column, f"and {rest} more from here on: {kind}"))
    return findings


def summarise(findings: Sequence[Finding], limit: int = 10) -> str:
    """Return the first findings, errors before warnings, one per line, and how many are left."""
    ranked = sorted(findings, key=lambda finding: finding.severity)
    listed = [f"  {finding}" for finding in ranked[:limit]]
    hidden = len(ranked) - len(listed)
    return "\n".join(listed + ([f"  and {hidden} more findings"] if hidden else []))
