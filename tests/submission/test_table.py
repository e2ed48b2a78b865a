"""Reading agrees with the csv module, cell by cell and line by line."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from common.submission.table import read_table

PLAIN = st.text("ab01.- ;\u00e9", max_size=5)
ODD = st.text('ab,"\n', max_size=5)


@pytest.fixture(scope="module")
def path(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("table") / "table.csv"


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=st.integers(2, 4).flatmap(
        lambda width: st.lists(
            st.lists(st.one_of(PLAIN, ODD), min_size=width, max_size=width), min_size=1, max_size=8
        )
    ),
    ending=st.sampled_from(["\n", "\r\n"]),
)
def test_cells_and_lines_agree_with_the_csv_module(path: Path, rows, ending: str) -> None:
    header = [f"column {i}" for i in range(len(rows[0]))]
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator=ending)
    starts = []
    for row in [header, *rows]:
        starts.append(text.getvalue().count("\n") + 1)
        writer.writerow(row)
    path.write_bytes(text.getvalue().encode())
    table, findings = read_table(path)
    assert findings == []
    assert table is not None
    assert [list(row) for row in zip(*table.cells, strict=True)] == rows
    assert table.columns == tuple(header)
    assert table.lines.tolist() == starts[1:]
    assert table.whole.all()


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=8),
    width=st.integers(2, 4),
    quoted=st.booleans(),
)
def test_a_row_is_whole_if_it_has_as_many_fields_as_the_header(
    path: Path, lengths: list[int], width: int, quoted: bool
) -> None:
    mark = '"x"' if quoted else "x"
    path.write_text("\n".join(",".join([mark] * n) for n in [width, *lengths]))
    table, findings = read_table(path)
    assert table is not None
    assert table.whole.tolist() == [n == width for n in lengths]
    assert {len(column) for column in table.cells} == {len(lengths)}
    told = sum(finding.row is not None and "fields" in finding.message for finding in findings)
    assert (told > 0) == any(n != width for n in lengths)


def test_cells_longer_than_the_csv_modules_limit_are_read(path: Path) -> None:
    earlier = csv.field_size_limit(1000)  # another library may have lifted it for the process
    long = "1 2 " * 1000
    path.write_text(f'id,rle\n"a",{long}\n')
    table, findings = read_table(path)
    assert findings == []
    assert table is not None
    assert table.cells[1] == (long,)
    assert csv.field_size_limit(earlier) == 1000


@pytest.mark.parametrize("rows", [1, 7, 40])
def test_blocks_are_read_as_one_whatever_their_size(path: Path, monkeypatch, rows: int) -> None:
    text = "id,p\n" + "".join(f"bücher{row},{row / 3}\n" for row in range(rows))
    path.write_text(text.removesuffix("\n"), encoding="utf-8")
    whole, _ = read_table(path)
    monkeypatch.setattr("common.submission.plain.BLOCK", 5)
    table, findings = read_table(path)
    assert (table.columns, table.cells, findings) == (whole.columns, whole.cells, [])
    assert table.lines.tolist() == list(range(2, rows + 2))
    path.write_text(f"{text}last,1,2\n", encoding="utf-8")
    assert "expected 2 fields, got 3" in read_table(path)[1][0].message
