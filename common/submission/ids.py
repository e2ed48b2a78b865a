"""Compares the ids of a submission with those of the sample, and says how an id was changed."""

from collections.abc import Sequence
from difflib import get_close_matches
from itertools import repeat

import numpy as np
import pandas as pd

from common.submission.rules import Finding, SubmissionRules, report
from common.submission.table import Table

AS_TEXT = "read and keep ids with dtype=str"
MAX_COMPARED = 500  # difflib is slow: the ids among which the nearest is looked for


def rank_ids(ids: Sequence[str], sample_ids: Sequence[str]) -> np.ndarray:
    """Return (N,) int64: the row of the sample that has each id, -1 where none has."""
    if ids == sample_ids:
        return np.arange(len(ids))
    last = len(sample_ids) - 1
    rank = dict(zip(reversed(sample_ids), range(last, -1, -1), strict=True))
    return np.fromiter(map(rank.get, ids, repeat(-1)), np.int64, len(ids))


def absent_rows(rank: np.ndarray, sample_ids: Sequence[str]) -> np.ndarray:
    """Return the rows of the sample whose id no row of the submission has, ascending."""
    seen = _duplicated(sample_ids)
    seen[rank[rank >= 0]] = True
    return np.flatnonzero(~seen)


def check_ids(
    ids: Sequence[str],
    rank: np.ndarray,
    lines: np.ndarray,
    sample: Table,
    column: str,
    rules: SubmissionRules,
) -> list[Finding]:
    """Return what is wrong with the ids: changed, extra, missing, repeated, out of order.

    Args:
        ids: N ids of the submission.
        rank: (N,) what `rank_ids` says of them.
        lines: (N,) line numbers of the submission.
        sample: the sample submission.
        column: name of its id column.
        rules: whether ids are unique and ordered.
    """
    sample_ids = sample.cells[sample.columns.index(column)]
    if ids == sample_ids:
        return []
    unknown, absent = np.flatnonzero(rank < 0), absent_rows(rank, sample_ids).tolist()
    twins = find_twins([ids[i] for i in unknown.tolist()], [sample_ids[i] for i in absent])
    changed = np.array([ids[i] in twins for i in unknown.tolist()], np.bool_)
    explained = set(twins.values())
    missing = [i for i in absent if sample_ids[i] not in explained]
    lost = [sample_ids[i] for i in missing[:MAX_COMPARED]]

    def describe_changed(i: int) -> str:
        return describe_change(ids[i], twins[ids[i]])

    def describe_extra(i: int) -> str:
        return _describe_extra(ids[i], lost, sample_ids[0])

    def describe_missing(i: int) -> str:
        want = f"expected id {sample_ids[i]!r} as on this line of the sample"
        return f"{want}, got none: it is missing; predict every image of the sample"

    where = np.array(missing, np.int64)
    findings = report("error", column, "changed ids", unknown[changed], lines, describe_changed)
    findings += report("error", column, "extra ids", unknown[~changed], lines, describe_extra)
    findings += report("error", column, "missing ids", where, sample.lines, describe_missing)
    if rules.unique_ids and not _duplicated(sample_ids).any():
        findings += _check_repeated(ids, lines, column)
    return findings + _check_order(rank, ids, lines, sample_ids, column, rules)


def find_twins(unknown: Sequence[str], absent: Sequence[str]) -> dict[str, str]:
    """Return for unknown ids the absent id that they were before a conversion changed them."""
    if not unknown or not absent:
        return {}
    originals = dict(zip(map(_normal_form, reversed(absent)), reversed(absent), strict=True))
    pairs = zip(unknown, map(originals.get, map(_normal_form, unknown)), strict=True)
    return {name: original for name, original in pairs if original is not None and name.strip()}


def _normal_form(name: str) -> str:
    """Return an id without what conversions change: folder, case, extension, leading zeros."""
    name = name.strip().rpartition("/")[2].casefold()
    stem, _, extension = name.rpartition(".")
    if stem and (extension == "0" or (len(extension) <= 5 and extension[:1].isalpha())):
        name = stem
    return name.lstrip("0") or name[:1]


def describe_change(got: str, want: str) -> str:
    """Return the message about an id that is the sample's `want`, changed."""
    if got.strip() == want.strip():
        cause, remedy = "white space around it", "strip it"
    elif got.casefold() == want.casefold():
        cause, remedy = "upper and lower case differ", "write it as in the sample"
    elif got == f"{want}.0":
        cause, remedy = "it became a float", AS_TEXT
    elif want.startswith(f"{got}."):
        cause, remedy = f"its extension {want[len(got) :]!r} is lost", "write the whole file name"
    elif got.startswith(f"{want}."):
        cause, remedy = f"it gained the extension {got[len(want) :]!r}", "write it without"
    elif got == (want.lstrip("0") or "0"):
        cause, remedy = "its leading zeros are lost", AS_TEXT
    else:
        cause, remedy = "it was rewritten", "write ids exactly as in the sample"
    return f"expected id {want!r}, got {got!r}: {cause}; {remedy}"


def _describe_extra(got: str, lost: list[str], example: str) -> str:
    if not got.strip():
        return f"expected an id like {example!r}, got an empty cell; write the sample's id"
    near = get_close_matches(got, lost, n=1, cutoff=0.6)
    hint = f"did you mean {near[0]!r}?" if near else f"drop the row, or write it like {example!r}"
    return f"expected an id of the sample, got the extra id {got!r}; {hint}"


def _duplicated(ids: Sequence[str]) -> np.ndarray:
    """Return (N,) bool: whether an earlier row has the same id."""
    # a copy, since pandas may hand out a read-only view
    return np.array(pd.Series(ids, dtype=object).duplicated(), np.bool_)


def _check_repeated(ids: Sequence[str], lines: np.ndarray, column: str) -> list[Finding]:
    def describe(i: int) -> str:
        first = lines[ids.index(ids[i])]
        return f"expected each id once, got a duplicate of {ids[i]!r} on line {first}; drop one"

    repeated = np.flatnonzero(_duplicated(ids))
    return report("error", column, "duplicate ids", repeated, lines, describe)


def _check_order(
    rank: np.ndarray,
    ids: Sequence[str],
    lines: np.ndarray,
    sample_ids: Sequence[str],
    column: str,
    rules: SubmissionRules,
) -> list[Finding]:
    """Return one finding on the first known id that stands elsewhere than in the sample."""
    # a repeated id is out of order at most once, unless repeats are meant
    known = np.flatnonzero((rank >= 0) & ~(_duplicated(ids) & rules.unique_ids))
    want = np.sort(rank[known])
    wrong = np.flatnonzero(rank[known] != want)
    if not len(wrong):
        return []
    row = int(known[wrong[0]])
    message = (
        f"expected id {sample_ids[want[wrong[0]]]!r}, got {ids[row]!r}: out of order, "
        f"with {len(wrong)} rows misplaced in all; sort the rows as in the sample"
    )
    return [Finding("error" if rules.ordered else "warning", int(lines[row]), column, message)]
