"""Findings as an aligned table for the terminal."""

import shutil
from collections.abc import Iterator, Sequence
from textwrap import wrap

from common.data.audit.finding import Finding

NARROWEST = 40  # characters of the last column, however narrow the terminal


def table_lines(findings: Sequence[Finding], width: int = 0) -> list[str]:
    """Return a line per finding: status, check, what was found; below it what to do.

    Args:
        width: characters; 0: the terminal's.
    """
    width = width or shutil.get_terminal_size((110, 40)).columns
    checks = max((len(finding.check) for finding in findings), default=0)
    return [line for finding in findings for line in _lines(finding, checks, width)]


def verdict(findings: Sequence[Finding]) -> str:
    """Return the last line: how many findings of which kind."""
    problems, warnings = (
        sum(finding.status == status for finding in findings) for status in ("problem", "warning")
    )
    if problems:
        return (
            f"{_count(problems, 'problem')}, {_count(warnings, 'warning')}: a run would not succeed"
        )
    if warnings:
        return f"{_count(warnings, 'warning')}: a run would go through, read them first"
    return "all is well"


def _lines(finding: Finding, checks: int, width: int) -> Iterator[str]:
    head = f"{finding.status:7}  {finding.check:{checks}}  "
    room = max(width - len(head), NARROWEST)
    first, *rest = wrap(finding.found, room, break_on_hyphens=False) or [""]
    yield head + first
    for line in rest:
        yield " " * len(head) + line
    for number, line in enumerate(wrap(finding.remedy, room - 3, break_on_hyphens=False)):
        yield " " * len(head) + ("-> " if number == 0 else "   ") + line


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("s" if number != 1 else "")
