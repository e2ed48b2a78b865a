"""Writes a submission: at its name there is a valid file or the old one, never a broken one."""

import errno
import os
import warnings
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd

from common import distributed
from common.errors import KitError
from common.submission.ids import absent_rows, describe_change, find_twins, rank_ids
from common.submission.parts import sort_rows, write_parts
from common.submission.rules import DEFAULT_RULES, SubmissionRules, summarise
from common.submission.validator import check_submission, read_sample

NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
MAX_NAMED = 5  # ids that a message spells out


def write_submission(
    frame: pd.DataFrame | Iterable[pd.DataFrame],
    path: Path | str,
    sample: Path | str | None = None,
    rules: SubmissionRules = DEFAULT_RULES,
) -> Path:
    """Write `frame` as a csv file, check it and return its path.

    With a sample, its columns are taken in its order (others are left out) and the rows sorted as
    in it. Floats are written in the shortest form that reads back to the same value. Without a
    sample the file is checked in itself. What the validator warns of becomes a UserWarning. Of
    several processes the first one writes.

    Args:
        frame: all rows, or parts of them, one below the other: each is written as it comes, so that
            they are never in memory together.

    Errors:
        KitError: columns or ids unlike the sample's, NaN, an invalid file, or a disk that takes no
            more; whatever was at `path` before is still there.
    """
    path = Path(path)
    parts = [frame] if isinstance(frame, pd.DataFrame) else frame
    if not distributed.is_first():
        deque(parts, maxlen=0)  # which all of them make together
        return path
    if path.is_dir():
        raise KitError(f"expected the name of a csv file, got the directory {path}; add a name")
    # in the same folder, since a rename is atomic only within one file system
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(parts, temporary, sample, rules)
        _check(temporary, path, sample, rules)
        temporary.replace(path)
    except OSError as error:
        raise _explain(error, path) from error
    finally:
        # the error that led here matters more than a temporary file left behind
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def _write(
    parts: Iterable[pd.DataFrame], path: Path, sample: Path | str | None, rules: SubmissionRules
) -> None:
    """Write all rows in the sample's order."""
    if sample is None:
        _refuse_repeated(write_parts(parts, path, id_column=rules.id_column), rules)
        return
    table, id_column = read_sample(sample, rules)
    sample_ids = table.cells[table.columns.index(id_column)]
    ids = write_parts(parts, path, table.columns, id_column)
    if ids != sample_ids:
        rank = rank_ids(ids, sample_ids)
        _compare_ids(ids, rank, sample_ids, rules)
        sort_rows(path, np.argsort(rank, kind="stable"))


def _compare_ids(
    ids: tuple[str, ...], rank: np.ndarray, sample_ids: tuple[str, ...], rules: SubmissionRules
) -> None:
    missing = [sample_ids[i] for i in absent_rows(rank, sample_ids).tolist()]
    extra = [name for name, row in zip(ids, rank.tolist(), strict=True) if row < 0]
    unique = rules.unique_ids and len(set(sample_ids)) == len(sample_ids)
    repeated = [name for name, count in Counter(ids).items() if count > 1] if unique else []
    groups = {"missing": missing, "not in the sample": extra, "more than once": repeated}
    told = [f"{len(names)} {what} ({_some(names)})" for what, names in groups.items() if names]
    if told:
        twins = find_twins(extra, missing)
        hints = (describe_change(got, want) for got, want in twins.items())
        raise KitError(
            f"expected the {len(sample_ids)} ids of the sample, got {', '.join(told)}; "
            f"{next(hints, 'predict each image of the sample once')}"
        )


def _some(names: list[str]) -> str:
    more = ", ..." if len(names) > MAX_NAMED else ""
    return ", ".join(map(repr, names[:MAX_NAMED])) + more


def _refuse_repeated(ids: tuple[str, ...], rules: SubmissionRules) -> None:
    """Refuse what a file checked against itself cannot show: no rows, repeated ids."""
    if not ids:
        raise KitError("expected predictions, got a frame without rows or columns; predict first")
    repeated = [name for name, count in Counter(ids).items() if count > 1]
    if rules.unique_ids and repeated:
        raise KitError(
            f"expected each id once, got {len(ids) - len(set(ids))} duplicates "
            f"({_some(repeated)}); predict each image once, or set unique_ids=False in the "
            "SubmissionRules"
        )


def _check(written: Path, path: Path, sample: Path | str | None, rules: SubmissionRules) -> None:
    findings = check_submission(written, sample or written, rules)
    errors = [finding for finding in findings if finding.severity == "error"]
    if errors:
        raise KitError(
            f"expected a valid submission, got {len(errors)} errors; {path} is not written, "
            f"mend these:\n{summarise(errors)}"
        )
    for finding in findings if sample else []:
        warnings.warn(f"{path}: {finding}", stacklevel=3)


def _explain(error: OSError, path: Path) -> KitError:
    if error.errno in NO_SPACE:
        return KitError(
            f"expected room for {path.name} in {path.parent.absolute()}, got a full disk; free "
            f"space or choose another folder (an old {path.name} is untouched)"
        )
    return KitError(f"expected to write {path}, got {error}; choose a folder that can be written")
