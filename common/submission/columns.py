"""Compares the header of a submission with that of the sample."""

from collections.abc import Collection
from difflib import get_close_matches

from common.submission.rules import Finding

MAX_LISTED = 20  # column names that a message spells out


def match_columns(
    header: tuple[str, ...], expected: tuple[str, ...], ids: Collection[str]
) -> tuple[dict[str, int], list[Finding]]:
    """Return the position of each expected column in the header, and what is wrong with it.

    A misspelt column is reported and matched all the same, so that its values are checked too.

    Args:
        header: the columns of the submission.
        expected: the columns of the sample.
        ids: the sample's ids; one of them in the header means that there is no header.
    """
    if not set(header) & set(expected) and any(cell in ids for cell in header):
        message = f"expected the header {','.join(expected)}, got a row; write it with header=True"
        return {}, [Finding("error", 1, expected[0], message)]
    findings = _duplicates(header)
    first = {name: header.index(name) for name in header}
    spare = [name for name in first if name not in expected]
    positions: dict[str, int] = {}
    for name in expected:
        got = name if name in first else _take_nearest(name, spare)
        if got is not None:
            positions[name] = first[got]
        if got != name:
            findings.append(Finding("error", 1, got or name, _unlike(name, got, header)))
    findings += [Finding("error", 1, name, _superfluous(name)) for name in spare]
    return positions, findings + _order(header, expected, positions)


def _duplicates(header: tuple[str, ...]) -> list[Finding]:
    message = "expected each column once, got a duplicate; drop one of the two"
    again = dict.fromkeys(name for i, name in enumerate(header) if name in header[:i])
    return [Finding("error", 1, name, message) for name in again]


def _take_nearest(name: str, spare: list[str]) -> str | None:
    """Remove and return the spare column that is most likely a misspelling of `name`."""
    alike = [got for got in spare if got.strip().casefold() == name.strip().casefold()]
    alike = alike or get_close_matches(name, spare, n=1, cutoff=0.6)
    if not alike:
        return None
    spare.remove(alike[0])
    return alike[0]


def _unlike(name: str, got: str | None, header: tuple[str, ...]) -> str:
    if got is None:
        return f"expected column {name!r}, got only {_listed(header)}: it is missing; add it"
    if got.strip() == name.strip():
        cause = "white space around the name"
    else:
        cause = "wrong case" if got.strip().casefold() == name.strip().casefold() else "misspelt"
    return f"expected column {name!r}, got {got!r}: {cause}; rename it"


def _superfluous(name: str) -> str:
    if not name.strip() or name.startswith("Unnamed:"):
        return f"expected no index column, got one named {name!r}; write it with index=False"
    return f"expected only the sample's columns, got the extra column {name!r}; drop it"


def _order(
    header: tuple[str, ...], expected: tuple[str, ...], positions: dict[str, int]
) -> list[Finding]:
    want = [name for name in expected if name in positions]
    got = sorted(want, key=positions.__getitem__)
    wrong = [one for one, other in zip(got, want, strict=True) if one != other]
    if not wrong:
        return []
    message = f"expected the order {_listed(want)}, got {_listed(got)}; reorder the columns"
    return [Finding("error", 1, header[positions[wrong[0]]], message)]


def _listed(names: Collection[str]) -> str:
    shown = ", ".join(map(repr, list(names)[:MAX_LISTED]))
    return f"{shown}, ..." if len(names) > MAX_LISTED else shown
