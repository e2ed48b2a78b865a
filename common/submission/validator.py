"""Checks a submission against the sample before anyone spends an attempt.

Everything is read as text first, because a converted '00001' or 'NA' hides what Kaggle will see.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from common.errors import KitError, did_you_mean
from common.submission.columns import match_columns
from common.submission.ids import check_ids, rank_ids
from common.submission.rules import (
    DEFAULT_RULES,
    Finding,
    Severity,
    SubmissionRules,
    summarise,
)
from common.submission.table import Table, read_table
from common.submission.values import (
    Kind,
    check_numbers,
    check_texts,
    infer_kind,
    to_float,
    to_floats,
)

SHOWN = 40  # characters of a cell: one with a mask may have millions

__all__ = ["Finding", "SubmissionRules", "check_submission", "read_sample", "require_valid"]


def check_submission(
    path: Path | str, sample: Path | str, rules: SubmissionRules = DEFAULT_RULES
) -> list[Finding]:
    """Return all that is wrong with the submission at `path`; an empty list means valid.

    Errors:
        KitError: the sample itself cannot be read, or lacks the id column that the rules name.
    """
    reference, id_column = read_sample(sample, rules)
    table, findings = read_table(path)
    if table is None:
        return findings
    sample_ids = reference.cells[reference.columns.index(id_column)]
    positions, of_header = match_columns(table.columns, reference.columns, sample_ids)
    findings += of_header
    if not len(table.lines):
        rows = f"{len(sample_ids)} rows as in the sample"
        message = f"expected {rows}, got a header only; predict every image"
        return [*findings, Finding("error", 2, id_column, message)]
    rank = np.full(len(table.lines), -1)
    if id_column in positions:
        ids = table.cells[positions[id_column]]
        rank = rank_ids(ids, sample_ids)
        findings += check_ids(ids, rank, table.lines, reference, id_column, rules)
    for name, kind in _target_kinds(reference, id_column, rules).items():
        if name in positions:
            findings += _check_target(table, positions[name], reference, name, kind, rules)
    if len(positions) == len(reference.columns):
        findings += _check_copied(table, positions, reference, id_column, rank.tolist())
    return findings


def require_valid(
    path: Path | str, sample: Path | str, rules: SubmissionRules = DEFAULT_RULES
) -> None:
    """Raise a KitError that lists the first findings if one is an error; warnings alone pass."""
    findings = check_submission(path, sample, rules)
    errors = sum(finding.severity == "error" for finding in findings)
    if errors:
        raise KitError(
            f"expected a valid submission, got {errors} errors in {path}; mend these:\n"
            f"{summarise(findings)}"
        )


def read_sample(sample: Path | str, rules: SubmissionRules = DEFAULT_RULES) -> tuple[Table, str]:
    """Return the sample submission and the name of its id column, or raise a KitError."""
    table, findings = read_table(sample)
    if table is None or not table.whole.all() or not len(table.lines):
        got = findings[0] if findings else "no rows"
        raise KitError(f"expected a sample submission at {sample}, got {got}; download it again")
    name = rules.id_column or table.columns[0]
    if name not in table.columns:
        hint = did_you_mean(name, table.columns)
        raise KitError(f"expected id column {name!r} in {sample}; {hint}")
    return table, name


def _target_kinds(sample: Table, id_column: str, rules: SubmissionRules) -> dict[str, Kind]:
    """Return what each target holds; class names in the sample may look like numbers."""
    kinds: dict[str, Kind] = {
        name: rules.dtype or infer_kind(cells)
        for name, cells in zip(sample.columns, sample.cells, strict=True)
        if name != id_column
    }
    expects_text = rules.choices is not None or rules.parse is not None
    if expects_text and rules.dtype is None and "text" not in kinds.values():
        return dict.fromkeys(kinds, "text")
    return kinds


def _check_target(
    table: Table, position: int, sample: Table, name: str, kind: Kind, rules: SubmissionRules
) -> list[Finding]:
    cells: Sequence[str] = table.cells[position]
    lines = table.lines
    if not table.whole.all():
        cells = [cell for cell, whole in zip(cells, table.whole, strict=True) if whole]
        lines = lines[table.whole]
    expected = set(sample.cells[sample.columns.index(name)])
    if kind == "text":
        findings = check_texts(cells, lines, name, rules)
        if rules.choices is None and rules.parse is None:
            findings += _check_class_names(cells, lines, name, expected)
    else:
        # a sample of zeros alone may stand for classes or for scores: the rules' dtype decides
        sure = rules.dtype == "integer" or len(expected) > 1
        fraction: Severity = "error" if sure else "warning"
        not_integral = fraction if kind == "integer" else None
        findings = check_numbers(cells, lines, name, rules, not_integral)
    if len(cells) > 1 and len(set(cells)) == 1:
        cell = cells[0] if len(cells[0]) <= SHOWN else f"{cells[0][:SHOWN]}..."
        got = f"{cell!r} in every row"
        message = f"expected predictions that differ, got {got}: constant; check the model"
        findings.append(Finding("warning", int(lines[0]), name, message))
    return findings


def _check_class_names(
    cells: Sequence[str], lines: np.ndarray, name: str, expected: set[str]
) -> list[Finding]:
    """Warn of numbers alone where the sample has words: class indices in place of names."""
    filled = [cell for cell in set(cells) if cell.strip()]
    words = [cell for cell in expected if cell.strip()]
    if not filled or not words or not np.isnan(to_floats(words)).all():
        return []
    if np.isnan(to_floats(filled)).any():
        return []
    got = f"numbers like {cells[0]!r}"
    message = f"expected text like {min(words)!r}, got {got}: class indices? write class names"
    return [Finding("warning", int(lines[0]), name, message)]


def _check_copied(
    table: Table, positions: dict[str, int], sample: Table, id_column: str, rank: list[int]
) -> list[Finding]:
    """Warn of a file whose predictions are all those of the sample."""
    targets = [name for name in sample.columns if name != id_column]
    if not targets or len(rank) < 2:
        return []
    for name in targets:
        got, want = table.cells[positions[name]], sample.cells[sample.columns.index(name)]
        # lazy: a file with predictions of its own differs in the first rows
        if not all(i >= 0 and _same(cell, want[i]) for cell, i in zip(got, rank, strict=True)):
            return []
    message = "expected predictions, got the sample's own values in every row; write the model's"
    return [Finding("warning", int(table.lines[0]), targets[0], message)]


def _same(cell: str, other: str) -> bool:
    return cell == other or to_float(cell) == to_float(other)
