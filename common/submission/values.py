"""Checks the predictions of one column of a submission, as text or as numbers."""

import math
import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Literal

import numpy as np

from common.submission.rules import Finding, Severity, SubmissionRules, report

Kind = Literal["integer", "real", "text"]
Complaint = tuple[str, str]  # the kind of problem, and the message

# What pandas.read_csv takes for a missing value unless told otherwise.
MISSING = frozenset({"<NA>", "N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"}) | {
    *("#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN")
}
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+\s*")
INTEGER = re.compile(r"\s*[+-]?\d+\s*")
MAX_SHOWN = 40  # characters of a cell that a message spells out


def to_float(cell: str) -> float:
    """Return the number that a cell spells, NaN where it spells none that a csv reader knows."""
    try:
        return float(cell) if cell.isascii() and "_" not in cell else math.nan
    except ValueError:
        return math.nan


def to_floats(cells: Sequence[str]) -> np.ndarray:
    """Return (N,) float64 of N cells."""
    return np.fromiter(map(to_float, cells), np.float64, len(cells))


def infer_kind(cells: Sequence[str]) -> Kind:
    """Return what a column of the sample holds; a column of empty cells holds text."""
    filled = [cell for cell in set(cells) if cell.strip()]
    if not filled or np.isnan(to_floats(filled)).any():
        return "text"
    return "integer" if all(map(INTEGER.fullmatch, filled)) else "real"


def check_numbers(
    cells: Sequence[str],
    lines: np.ndarray,
    column: str,
    rules: SubmissionRules,
    not_integral: Severity | None = None,
) -> list[Finding]:
    """Return what is wrong with a numeric column: NaN, text, infinite, out of range, a fraction.

    Args:
        cells: N cells.
        lines: (N,) line numbers.
        column: its name.
        rules: the allowed range.
        not_integral: what a number with a fraction is; None where it is allowed.
    """
    values = to_floats(cells)
    spoilt = np.flatnonzero(np.isnan(values)).tolist()
    findings = _check_each(cells, spoilt, lines, column, _why_not_a_number)
    finite = np.isfinite(values)

    def add(severity: Severity, kind: str, mask: np.ndarray, expected: str, remedy: str) -> None:
        def describe(i: int) -> str:
            return f"expected {expected}, got {cells[i]!r}: {kind}; {remedy}"

        findings.extend(report(severity, column, kind, np.flatnonzero(mask), lines, describe))

    overflow = "find the division or overflow behind it"
    add("error", "infinite", np.isinf(values), "a finite number", overflow)
    if rules.low is not None:
        below = finite & (values < rules.low)
        add("error", "too small", below, f"at least {rules.low}", "clip it")
    if rules.high is not None:
        above = finite & (values > rules.high)
        add("error", "too large", above, f"at most {rules.high}", "clip it")
    if not_integral is not None:
        broken = finite & (values != np.floor(values))
        remedy = 'write classes, or set dtype="real" in the SubmissionRules if scores are meant'
        add(not_integral, "not an integer", broken, "an integer as in the sample", remedy)
    return findings


def check_texts(
    cells: Sequence[str], lines: np.ndarray, column: str, rules: SubmissionRules
) -> list[Finding]:
    """Return what is wrong with a column of strings: empty, NaN, unknown class, not parsable."""

    def complain(cell: str) -> Complaint | None:
        if rules.choices is not None and cell in rules.choices:
            return None
        if cell == "" and rules.allow_empty:
            return None
        if not cell.strip() or cell in MISSING:
            return _missing(cell, "a string")
        if rules.choices is not None:
            return "unknown class", _unknown_class(cell, rules.choices)
        complaint = rules.parse(cell) if rules.parse else None
        return ("strings of a wrong form", complaint) if complaint else None

    return _check_each(cells, range(len(cells)), lines, column, complain)


def _check_each(
    cells: Sequence[str],
    indices: Sequence[int],
    lines: np.ndarray,
    column: str,
    complain: Callable[[str], Complaint | None],
) -> list[Finding]:
    """Return findings grouped by kind; every distinct cell is judged once."""
    verdicts = {cell: complain(cell) for cell in {cells[i] for i in indices}}
    bad = {cell: verdict for cell, verdict in verdicts.items() if verdict is not None}
    kinds: dict[str, list[int]] = {}
    for i in indices if bad else ():
        if cells[i] in bad:
            kinds.setdefault(bad[cells[i]][0], []).append(i)

    def describe(i: int) -> str:
        return bad[cells[i]][1]

    return [
        finding
        for kind, rows in kinds.items()
        for finding in report("error", column, kind, np.array(rows), lines, describe)
    ]


def _shown(cell: str) -> str:
    return repr(cell if len(cell) <= MAX_SHOWN else f"{cell[:MAX_SHOWN]}...")


def _missing(cell: str, expected: str) -> Complaint:
    kind = "missing value" if cell.strip() else "empty cell"
    return kind, f"expected {expected}, got {cell!r}: {kind}, read as NaN; predict every row"


def _why_not_a_number(cell: str) -> Complaint:
    if not cell.strip() or cell.strip() in MISSING or cell.strip().casefold() == "nan":
        return _missing(cell, "a number")
    if DECIMAL_COMMA.fullmatch(cell):
        message = f"expected a number, got {cell!r}: decimal comma; write it with decimal='.'"
        return "decimal comma", message
    return "text", f"expected a number as in the sample, got the text {_shown(cell)}; write numbers"


def _unknown_class(cell: str, choices: tuple[str, ...]) -> str:
    folded = {choice.casefold(): choice for choice in choices}
    near = get_close_matches(cell.strip().casefold(), folded, n=1, cutoff=0.5)
    known = ", ".join(choices[:20]) + (", ..." if len(choices) > 20 else "")
    hint = f"did you mean {folded[near[0]]!r}?" if near else f"known: {known}"
    return f"expected a class of the competition, got {_shown(cell)}: unknown class; {hint}"
