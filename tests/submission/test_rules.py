"""What the rules allow and forbid, how findings are counted, and what is wrong with a sample."""

from pathlib import Path

import pytest

from common.errors import KitError
from common.submission.rules import Finding
from common.submission.validator import SubmissionRules, check_submission, require_valid

ROWS = [(f"{i:03d}", str(i / 8)) for i in range(30)]


def write(path: Path, rows, header: str = "id,score") -> Path:
    path.write_text("\n".join([header, *map(",".join, rows)]) + "\n")
    return path


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    return write(tmp_path / "sample.csv", [(name, "0.5") for name, _ in ROWS])


def test_finding_reads_like_a_compiler_message() -> None:
    assert (
        str(Finding("error", 17, "Label", "expected")) == "error: line 17, column 'Label': expected"
    )
    assert str(Finding("warning", None, None, "expected")) == "warning: expected"


def test_many_findings_of_one_kind_are_counted(sample: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", [(n, "inf" if int(n) >= 10 else v) for n, v in ROWS])
    findings = check_submission(path, sample)
    assert [finding.row for finding in findings] == [12, 13, 14, 15, 16, 17]
    assert "and 15 more" in findings[-1].message


def test_order_is_an_error_or_a_warning_as_the_rules_say(sample: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", ROWS[::-1])
    severities = [
        [finding.severity for finding in check_submission(path, sample, SubmissionRules(ordered=o))]
        for o in (True, False)
    ]
    assert severities == [["error"], ["warning"]]
    with pytest.raises(KitError, match="got 1 errors"):
        require_valid(path, sample)
    require_valid(path, sample, SubmissionRules(ordered=False))


def test_an_image_may_take_several_rows_where_the_rules_say_so(
    sample: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "s.csv", sorted([*ROWS, *ROWS[3:6]]))
    assert all("duplicate" in f.message for f in check_submission(path, sample))
    assert check_submission(path, sample, SubmissionRules(unique_ids=False)) == []
    # a sample that repeats ids says as much
    twice = write(tmp_path / "twice.csv", sorted((name, "0.5") for name, _ in [*ROWS, *ROWS]))
    assert check_submission(path, twice) == []


def test_id_column_may_be_any(tmp_path: Path) -> None:
    sample = write(tmp_path / "sample.csv", [("0.5", name) for name, _ in ROWS], "score,id")
    path = write(tmp_path / "s.csv", [(value, name) for name, value in ROWS], "score,id")
    assert check_submission(path, sample, SubmissionRules(id_column="id")) == []
    with pytest.raises(KitError, match="did you mean 'id'"):
        check_submission(path, sample, SubmissionRules(id_column="ids"))


@pytest.mark.parametrize(
    ("values", "dtype", "severity"),
    [("01", None, "error"), ("0", None, "warning"), ("0", "integer", "error"), ("0", "real", "")],
)
def test_fractions_under_a_sample_of_integers(values, dtype, severity, tmp_path: Path) -> None:
    rows = [(name, values[i % len(values)]) for i, (name, _) in enumerate(ROWS)]
    sample = write(tmp_path / "sample.csv", rows)
    findings = check_submission(
        write(tmp_path / "s.csv", ROWS), sample, SubmissionRules(dtype=dtype)
    )
    assert {finding.severity for finding in findings} == ({severity} if severity else set())


def test_a_class_may_be_called_none(tmp_path: Path) -> None:
    sample = write(tmp_path / "sample.csv", [(name, "None") for name, _ in ROWS])
    path = write(tmp_path / "s.csv", [(n, "None" if int(n) % 2 else "rust") for n, _ in ROWS])
    assert check_submission(path, sample, SubmissionRules(choices=("None", "rust"))) == []
    assert "missing value" in check_submission(path, sample)[0].message


def test_class_indices_in_place_of_names_are_noticed(tmp_path: Path) -> None:
    sample = write(tmp_path / "sample.csv", [(name, "glass") for name, _ in ROWS])
    (finding,) = check_submission(write(tmp_path / "s.csv", ROWS), sample)
    assert (finding.severity, finding.row, finding.column) == ("warning", 2, "score")
    assert "class names" in finding.message


def test_require_valid_lists_errors_first_and_counts_the_rest(sample: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", [("x" + name, "nan") for name, _ in ROWS])
    with pytest.raises(KitError) as caught:
        require_valid(path, sample)
    message = str(caught.value)
    assert "got 18 errors" in message
    assert message.count("error: line") == 10
    assert "and 9 more findings" in message


@pytest.mark.parametrize("text", ["", "id,score\n", "id;score\n1;2\n", "id,score\n1\n"])
def test_a_broken_sample_is_the_callers_mistake(text: str, tmp_path: Path) -> None:
    path = write(tmp_path / "s.csv", ROWS)
    (tmp_path / "sample.csv").write_text(text)
    with pytest.raises(KitError, match=r"expected a sample submission at .*sample\.csv"):
        check_submission(path, tmp_path / "sample.csv")


def test_an_empty_range_is_refused() -> None:
    with pytest.raises(KitError, match="low <= high"):
        SubmissionRules(low=1, high=0)
