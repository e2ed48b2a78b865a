import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from common.loggers.run_files import dumps, open_lines, read_lines, read_metrics, write_atomic


def strict(text):
    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    return json.loads(text, parse_constant=refuse)


@given(st.floats())
def test_every_float_comes_back_through_strict_json(value):
    back = float(strict(dumps({"x": value}))["x"])
    assert back == value or (math.isnan(back) and math.isnan(value))


def test_arrays_paths_and_nested_numbers_are_written(tmp_path):
    given = {"a": np.array([1.0, np.inf]), "b": tmp_path, "c": {"d": [np.float32(0.5), None]}}
    assert strict(dumps(given)) == {
        "a": [1.0, "Infinity"],
        "b": str(tmp_path),
        "c": {"d": [0.5, None]},
    }


@pytest.mark.parametrize("cut", range(1, 30))
def test_a_line_cut_anywhere_costs_at_most_itself(tmp_path, cut):
    path = tmp_path / "x.jsonl"
    lines = [dumps({"row": i, "text": "é" * 5}) + "\n" for i in range(2)]
    path.write_bytes("".join(lines).encode()[:-cut])
    with open_lines(path) as file:
        file.write(dumps({"row": 2}) + "\n")
    rows = [strict(line)["row"] for line in path.read_text().splitlines()]
    assert rows == ([0, 1, 2] if cut == 1 else [0, 2])
    assert [row["row"] for row in read_lines(path)] == rows


def test_a_line_is_on_disk_before_the_file_is_closed(tmp_path):
    file = open_lines(tmp_path / "x.jsonl")
    file.write(dumps({"row": 1}) + "\n")
    assert read_lines(tmp_path / "x.jsonl") == [{"row": 1}]
    file.close()


def test_no_file_is_no_rows(tmp_path):
    assert read_metrics(tmp_path) == []


def test_a_failed_write_leaves_the_old_file_and_no_rest(tmp_path):
    path = write_atomic(tmp_path / "deep" / "x.json", b"old")
    with pytest.raises(TypeError):
        write_atomic(path, "no bytes")
    assert path.read_bytes() == b"old"
    assert list(path.parent.iterdir()) == [path]
