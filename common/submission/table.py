"""Reads a csv file as text, with the line of every row, so that nothing is silently converted."""

import csv
import io
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.submission.plain import read_plain
from common.submission.rules import Finding, report

BOM = "\ufeff"
MAGIC = {
    b"PAR1": "a parquet file",
    b"PK\x03\x04": "a zip archive (or an Excel file)",
    b"\x1f\x8b": "a gzip archive",
    b"\x93NUMPY": "a numpy array",
    b"\xff\xfe": "utf-16 text",
    b"\xfe\xff": "utf-16 text",
}
REWRITE = "write it with DataFrame.to_csv(path, index=False)"


@dataclass(frozen=True)
class Table:
    """A csv file of N rows, cell by cell as text."""

    columns: tuple[str, ...]
    cells: list[tuple[str, ...]]  # one tuple of N cells per column
    lines: np.ndarray  # (N,) int64, the line on which each row begins; the header is line 1
    whole: np.ndarray  # (N,) bool, whether the row has as many fields as the header


def read_table(path: Path | str) -> tuple[Table | None, list[Finding]]:
    """Return the table in a csv file (None if it cannot be read) and what is wrong in its form."""
    plain = read_plain(Path(path), (*MAGIC, BOM.encode()))
    if plain is not None:
        header, cells = tuple(one[0] for one in plain), [tuple(one[1:]) for one in plain]
        count = len(cells[0])
        return Table(header, cells, np.arange(2, count + 2), np.ones(count, np.bool_)), []
    text, findings = _read_text(Path(path))
    if text is None:
        return None, findings
    rows, lines, broken = _parse(text)
    findings += broken
    if broken or _wrong_separator(next(filter(None, rows)), findings):
        return None, findings
    return _to_table(rows, lines, findings), findings


def _read_text(path: Path) -> tuple[str | None, list[Finding]]:
    """Return the text without its byte order mark, or None and the reason."""
    if path.is_dir() or not path.exists():
        what = "a directory" if path.is_dir() else "nothing"
        return _fatal(None, f"expected a csv file at {path}, got {what}; {REWRITE}")
    try:
        data = path.read_bytes()
    except OSError as error:
        return _fatal(None, f"expected a readable file, got {error}; check its permissions")
    for magic, what in MAGIC.items():
        if data.startswith(magic):
            return _fatal(1, f"expected csv text in utf-8, got {what}; {REWRITE}")
    return _decode(data)


def _decode(data: bytes) -> tuple[str | None, list[Finding]]:
    findings: list[Finding] = []
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        got = f"byte 0x{data[error.start]:02x}"
        return _fatal(line, f'expected utf-8 text, got {got}; write it with encoding="utf-8"')
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        return _fatal(line, f"expected csv text, got a zero byte: a binary file; {REWRITE}")
    if text.startswith(BOM):
        message = 'expected plain utf-8, got a byte order mark (BOM); write with encoding="utf-8"'
        findings.append(Finding("error", 1, None, message))
        text = text.removeprefix(BOM)
    if not text.strip():
        return _fatal(1, f"expected a header and rows, got an empty file; {REWRITE}")
    return text, findings


def _fatal(line: int | None, message: str) -> tuple[None, list[Finding]]:
    return None, [Finding("error", line, None, message)]


@contextmanager
def _long_fields() -> Iterator[None]:
    """Lift the csv module's limit of 128 KiB per cell, which run-length strings exceed."""
    limit = csv.field_size_limit(2**31 - 1)
    try:
        yield
    finally:
        csv.field_size_limit(limit)


def _parse(text: str) -> tuple[list[list[str]], np.ndarray, list[Finding]]:
    """Return rows, the line on which each begins, and the finding that stopped the reading."""
    with _long_fields():
        # newline="" keeps line breaks inside quoted cells as they are
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        try:
            rows = list(reader)
        except csv.Error as error:
            line = int(_start_lines(text)[-1])
            message = f"expected well-formed quotes, got a broken row ({error}); {REWRITE}"
            return [], np.zeros(0, np.int64), [Finding("error", line, None, message)]
        if reader.line_num == len(rows):
            return rows, np.arange(1, len(rows) + 1), []
        return rows, _start_lines(text)[:-1], []


def _start_lines(text: str) -> np.ndarray:
    """Return (R + 1,) lines on which the readable rows begin, and the line after the last."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    starts = [1]
    # the caller tells of an error: the broken row begins on the last start
    with suppress(csv.Error):
        for _ in reader:
            starts.append(reader.line_num + 1)
    return np.array(starts, np.int64)


def _wrong_separator(header: list[str], findings: list[Finding]) -> bool:
    """Add a finding if the header is one cell that holds another separator."""
    got = [separator for separator in (";", "\t", "|", ",") if separator in header[0]]
    if len(header) != 1 or not got:
        return False
    what = "whole lines in quotes" if got[0] == "," else f"{got[0]!r}"
    message = f"expected ',' as the separator, got {what}; write it with sep=',' and decimal='.'"
    findings.append(Finding("error", 1, header[0], message))
    return True


def _to_table(rows: list[list[str]], lines: np.ndarray, findings: list[Finding]) -> Table:
    """Turn rows into columns; blank lines are dropped, ragged rows padded or cut, all reported."""
    lengths = np.fromiter(map(len, rows), np.int64, len(rows))
    blank = np.flatnonzero(lengths == 0)
    if len(blank):
        text = "expected a row, got a blank line; delete it"
        findings += report("warning", None, "blank lines", blank, lines, lambda _: text)
        rows = [row for row in rows if row]
        lines, lengths = lines[lengths > 0], lengths[lengths > 0]
    header, width = tuple(rows[0]), len(rows[0])
    rows, lines, lengths = rows[1:], lines[1:], lengths[1:]
    for length in sorted(set(lengths.tolist()) - {width}):
        findings += _report_ragged(header, length, np.flatnonzero(lengths == length), lines)
    whole = lengths == width
    if not whole.all():
        rows = [(row + [""] * width)[:width] for row in rows]
    cells: list[tuple[str, ...]] = list(zip(*rows, strict=True)) or [()] * width
    return Table(header, cells, lines, whole)


def _report_ragged(
    header: tuple[str, ...], length: int, indices: np.ndarray, lines: np.ndarray
) -> list[Finding]:
    column = header[min(length, len(header) - 1)]
    cause = "a decimal or unquoted comma" if length > len(header) else "a cell left out"
    text = f"expected {len(header)} fields, got {length}: {cause}? {REWRITE}"
    return report("error", column, f"rows of {length} fields", indices, lines, lambda _: text)
