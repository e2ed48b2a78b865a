"""A valid file has no finding; every way of breaking it is found, on its line and in its column."""

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.submission.validator import SubmissionRules, check_submission

Change = Callable[[list[str]], list[str]]
Corrupt = Callable[[str], str | bytes]

IDS = [f"{i:04d}.jpg" for i in range(1, 21)]
CLASSES = ("glass", "paper", "metal", "plastic")


def render(header: str, *columns: list[str]) -> str:
    return "\n".join([header, *map(",".join, zip(*columns, strict=True))]) + "\n"


def number() -> tuple[str, str]:
    """Return a sample of zeros, and predictions that may be any real number."""
    scores = np.random.default_rng(0).normal(0, 3, 20).astype(np.float32)
    return render("Id,Label", IDS, ["0"] * 20), render("Id,Label", IDS, list(map(str, scores)))


def named() -> tuple[str, str]:
    """Return a sample and predictions of class names."""
    header = "image_id,label"
    return render(header, IDS, ["glass"] * 20), render(header, IDS, list(CLASSES) * 5)


def grade() -> tuple[str, str]:
    """Return a sample and predictions of class numbers, with ids that look like numbers."""
    ids, grades = [f"{i:05d}" for i in range(20)], [str(i % 5) for i in range(20)]
    return render("id,target", ids, grades), render("id,target", ids, grades[::-1])


def probs() -> tuple[str, str]:
    """Return a sample and predictions of three probabilities."""
    header = "image_id,healthy,rust,scab"
    columns = np.random.default_rng(0).dirichlet([1, 1, 1], 20).T.tolist()
    text = render(header, IDS, *(list(map(str, column)) for column in columns))
    return render(header, IDS, *[["0.25"] * 20] * 3), text


def boxes() -> tuple[str, str]:
    """Return a sample and predictions of box strings; no box is an empty string."""
    strings = [f"0.{i + 10} {i} {i} 5 5" if i % 3 else "" for i in range(20)]
    return render("image_id,boxes", IDS, [""] * 20), render("image_id,boxes", IDS, strings)


def complain_of_boxes(cell: str) -> str | None:
    got = len(cell.split())
    return f"expected groups of 5 numbers, got {got}; write conf x y w h" if got % 5 else None


RULES = {
    number: SubmissionRules(dtype="real"),
    named: SubmissionRules(choices=CLASSES),
    grade: SubmissionRules(),
    probs: SubmissionRules(low=0, high=1),
    boxes: SubmissionRules(allow_empty=True, parse=complain_of_boxes),
}


def on_line(row: int, change: Change) -> Corrupt:
    """Change the fields on one line; the header is line 1."""
    return lambda text: "".join(
        (",".join(change(line.split(","))) if i == row else line) + "\n"
        for i, line in enumerate(text.splitlines(), start=1)
    )


def put(row: int, column: int, value: str) -> Corrupt:
    return on_line(row, lambda fields: [*fields[:column], value, *fields[column + 1 :]])


def each(change: Change) -> Corrupt:
    """Change every row but the header."""

    def corrupt(text: str) -> str:
        header, *rows = text.splitlines()
        return "\n".join([header, *(",".join(change(row.split(","))) for row in rows)]) + "\n"

    return corrupt


def order(change: Change) -> Corrupt:
    return lambda text: "\n".join(change(text.splitlines())) + "\n"


def pandas(change: Callable[[pd.DataFrame], pd.DataFrame] = lambda f: f, **options) -> Corrupt:
    """Write the file the way people do, with options of DataFrame.to_csv."""

    def corrupt(text: str) -> str:
        frame = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
        return change(frame).to_csv(**{"index": False, **options})

    return corrupt


def parquet(text: str) -> bytes:
    buffer = io.BytesIO()
    pd.read_csv(io.StringIO(text)).to_parquet(buffer)
    return buffer.getvalue()


# (name, format, corruption, line, column, a telling word of the message)
OF_FILE = [
    ("zero bytes", number, lambda t: "", 1, None, "empty file"),
    ("blank file", number, lambda t: "\n \n", 1, None, "empty file"),
    ("mark alone", number, lambda t: "\ufeff", 1, None, "empty file"),
    ("header only", number, lambda t: t.split("\n")[0], 2, "Id", "header only"),
    ("parquet", number, parquet, 1, None, "parquet"),
    ("zip", number, lambda t: b"PK\x03\x04" + bytes(9), 1, None, "zip"),
    ("gzip", number, lambda t: b"\x1f\x8b\x08" + bytes(9), 1, None, "gzip"),
    ("utf-16", number, lambda t: t.encode("utf-16"), 1, None, "utf-16"),
    ("latin-1", named, lambda t: put(7, 1, "m\u00e9tal")(t).encode("latin-1"), 7, None, "utf-8"),
    ("zero byte", number, put(6, 1, "1\0"), 6, None, "binary"),
    ("byte order mark", number, lambda t: "\ufeff" + t, 1, None, "BOM"),
    ("unclosed quote", named, put(9, 1, '"glass'), 9, None, "quotes"),
    ("semicolons", number, pandas(sep=";"), 1, "Id;Label", "sep=','"),
    ("tabs", number, pandas(sep="\t"), 1, "Id\tLabel", "sep=','"),
    ("bars", number, pandas(sep="|"), 1, "Id|Label", "sep=','"),
    ("quoted lines", number, order(lambda r: [f'"{x}"' for x in r]), 1, "Id,Label", "quotes"),
    ("decimal comma", number, put(4, 1, "0,5"), 4, "Label", "decimal"),
    ("quoted decimal comma", number, put(4, 1, '"0,5"'), 4, "Label", "decimal comma"),
    ("long row", probs, on_line(8, lambda f: [*f, "1"]), 8, "scab", "got 5"),
    ("short row", probs, on_line(8, lambda f: f[:2]), 8, "rust", "got 2"),
    ("trailing comma", number, on_line(21, lambda f: [*f, ""]), 21, "Label", "got 3"),
    ("blank line", number, put(5, 1, "1\n"), 6, None, "blank"),
]
OF_COLUMNS = [
    ("index", number, pandas(index=True), 1, "", "index=False"),
    ("kept index", number, put(1, 0, "Unnamed: 0,Id"), 1, "Unnamed: 0", "index=False"),
    ("no header", number, pandas(header=False), 1, "Id", "header"),
    ("missing column", probs, pandas(lambda f: f.drop(columns="rust")), 1, "rust", "missing"),
    ("no id column", number, pandas(lambda f: f.drop(columns="Id")), 1, "Id", "missing"),
    ("extra column", number, pandas(lambda f: f.assign(fold="0")), 1, "fold", "extra"),
    ("misspelt column", probs, put(1, 2, "rusty"), 1, "rusty", "'rust'"),
    ("header case", number, put(1, 1, "label"), 1, "label", "case"),
    ("space in header", number, put(1, 1, " Label"), 1, " Label", "white space"),
    ("columns reordered", number, pandas(lambda f: f[["Label", "Id"]]), 1, "Label", "order"),
    ("column twice", probs, put(1, 3, "rust"), 1, "rust", "duplicate"),
]
OF_IDS = [
    ("missing id", number, order(lambda r: r[:9] + r[10:]), 10, "Id", "'0009.jpg'"),
    ("missing last ids", number, order(lambda r: r[:-2]), 20, "Id", "missing"),
    ("extra id", number, lambda t: t + "9999.png,0.5\n", 22, "Id", "extra"),
    ("misspelt id", number, put(3, 0, "0002x.jpg"), 3, "Id", "'0002.jpg'"),
    ("id twice", number, lambda t: t + "0003.jpg,0.5\n", 22, "Id", "line 4"),
    ("swap", number, order(lambda r: [*r[:5], r[6], r[5], *r[7:]]), 6, "Id", "order"),
    ("reversed", number, order(lambda r: [r[0], *r[:0:-1]]), 2, "Id", "20 rows"),
    ("integer ids", grade, each(lambda f: [str(int(f[0])), f[1]]), 2, "id", "zeros"),
    ("float id", grade, put(12, 0, "00010.0"), 12, "id", "float"),
    ("float ids", grade, each(lambda f: [str(float(f[0])), f[1]]), 3, "id", "'00001'"),
    ("extension lost", number, each(lambda f: [f[0][:4], f[1]]), 2, "Id", "'.jpg' is lost"),
    ("extension gained", grade, put(5, 0, "00003.jpg"), 5, "id", "gained"),
    ("path", number, put(5, 0, "test/0004.jpg"), 5, "Id", "'0004.jpg'"),
    ("space before id", number, put(5, 0, " 0004.jpg"), 5, "Id", "white space"),
    ("space after id", number, put(5, 0, "0004.jpg "), 5, "Id", "white space"),
    ("id in capitals", number, put(5, 0, "0004.JPG"), 5, "Id", "case"),
    ("empty id", number, put(5, 0, ""), 5, "Id", "empty"),
]
OF_VALUES = [
    ("empty", number, put(7, 1, ""), 7, "Label", "empty cell"),
    ("NaN", number, put(7, 1, "nan"), 7, "Label", "missing value"),
    ("None", number, put(7, 1, "None"), 7, "Label", "missing value"),
    ("inf", number, put(7, 1, "inf"), 7, "Label", "infinite"),
    ("overflow", number, put(7, 1, "-1e999"), 7, "Label", "infinite"),
    ("text", number, put(7, 1, "tensor(0.5)"), 7, "Label", "text"),
    ("thousands mark", number, put(7, 1, "1_000"), 7, "Label", "text"),
    ("names", grade, each(lambda f: [f[0], "x" + f[1]]), 2, "target", "text"),
    ("fraction", grade, put(9, 1, "1.5"), 9, "target", "integer"),
    ("too large", probs, put(11, 3, "1.0000001"), 11, "scab", "at most 1"),
    ("too small", probs, put(11, 1, "-1e-9"), 11, "healthy", "at least 0"),
    ("unknown class", named, put(13, 1, "plastik"), 13, "label", "'plastic'"),
    ("class in capitals", named, put(13, 1, "GLASS"), 13, "label", "'glass'"),
    ("empty class", named, put(13, 1, ""), 13, "label", "empty cell"),
    ("missing class", named, put(13, 1, "NaN"), 13, "label", "missing value"),
    ("class number", named, put(13, 1, "2"), 13, "label", "unknown class"),
    ("missing string", boxes, put(3, 1, "None"), 3, "boxes", "missing value"),
    ("blank string", boxes, put(3, 1, " "), 3, "boxes", "empty cell"),
    ("broken string", boxes, put(3, 1, "0.5 1 2 3"), 3, "boxes", "got 4"),
]
SAME = (".25", "0.250", "25e-2")  # as numbers, what the sample holds
SUSPICIOUS = [
    ("constant", number, each(lambda f: [f[0], "0.5"]), 2, "Label", "constant"),
    ("constant class", named, each(lambda f: [f[0], "metal"]), 2, "label", "constant"),
    ("dead class", probs, each(lambda f: [*f[:2], "0", f[3]]), 2, "rust", "constant"),
    ("sample", grade, lambda t: grade()[0], 2, "target", "sample's own"),
    ("sample again", probs, each(lambda f: [f[0], *SAME]), 2, "healthy", "sample's own"),
]
ERRORS = OF_FILE[:-1] + OF_COLUMNS + OF_IDS + OF_VALUES
CASES = [("error", *case) for case in ERRORS]
CASES += [("warning", *case) for case in [OF_FILE[-1], *SUSPICIOUS]]


def check(folder: Path, sample: str, content: str | bytes, rules: SubmissionRules):
    (folder / "sample.csv").write_text(sample)
    data = content.encode() if isinstance(content, str) else content
    (folder / "submission.csv").write_bytes(data)
    return check_submission(folder / "submission.csv", folder / "sample.csv", rules)


@pytest.mark.parametrize("make", RULES, ids=lambda make: make.__name__)
def test_valid_file_has_no_finding_however_it_is_written(make, tmp_path: Path) -> None:
    sample, text = make()
    quoted = io.StringIO()
    csv.writer(quoted, quoting=csv.QUOTE_ALL).writerows(csv.reader(io.StringIO(text)))
    endings = [text.replace("\n", ending) for ending in ("\r\n", "\r")]
    for variant in (text, text[:-1], quoted.getvalue(), *endings):
        assert check(tmp_path, sample, variant, RULES[make]) == []


@pytest.mark.parametrize(
    ("severity", "name", "make", "corrupt", "line", "column", "word"),
    CASES,
    ids=[case[1] for case in CASES],
)
def test_corruption_is_found_where_it_is(
    severity, name, make, corrupt, line, column, word, tmp_path: Path
) -> None:
    sample, text = make()
    findings = check(tmp_path, sample, corrupt(text), RULES[make])
    shown = "\n".join(map(str, findings))
    places = [(f.severity, f.row, f.column) for f in findings if word in f.message]
    assert (severity, line, column) in places, shown
    errors = [finding for finding in findings if finding.severity == "error"]
    assert bool(errors) == (severity == "error"), shown


@pytest.mark.parametrize(("target", "word"), [("nothing.csv", "nothing"), (".", "a directory")])
def test_what_is_no_file_is_told(target: str, word: str, tmp_path: Path) -> None:
    (tmp_path / "sample.csv").write_text(number()[0])
    (finding,) = check_submission(tmp_path / target, tmp_path / "sample.csv")
    assert finding.severity == "error"
    assert f"got {word}" in finding.message


ALONE = ("missing id", "extra id", "swap", "id twice", "misspelt column", "NaN", "too large")


@pytest.mark.parametrize("name", ALONE)
def test_one_mistake_is_one_finding(name: str, tmp_path: Path) -> None:
    _, make, corrupt, *_ = next(case for case in ERRORS if case[0] == name)
    sample, text = make()
    assert len(check(tmp_path, sample, corrupt(text), RULES[make])) == 1


def test_a_constant_mask_is_told_in_short(tmp_path: Path) -> None:
    sample = render("id,mask", IDS, ["1 1"] * 20)
    (finding,) = check(
        tmp_path, sample, render("id,mask", IDS, ["1 2 5 3 " * 5000] * 20), SubmissionRules()
    )
    assert "constant" in finding.message
    assert len(finding.message) < 200
