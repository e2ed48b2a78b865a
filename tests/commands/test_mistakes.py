"""A mistaken word or file gives one line that says what was expected, and the code 2."""

import pytest

from common.errors import SHOWN, did_you_mean


@pytest.mark.parametrize(
    ("words", "telling"),
    [
        (("runs", "colurs"), "unknown competition 'colurs'; did you mean 'colours'?"),
        (("runs", "colours", "--sort", "qqqqq"), "known: experiment, fold, status"),
        (("soup", "colours"), "expected runs to average, got none"),
        (("soup", "colours", "--run", "baselin", "--data", "no"), "did you mean 'baseline'?"),
        (("oof", "colours", "predict.tta=d4"), "expected --parts (of masks) with 'predict.tta=d4'"),
        (("new", "other", "--data", "nowhere"), "expected a folder at --data 'nowhere'"),
    ],
)
def test_a_mistaken_word_is_told_in_one_line(words, telling, begun):
    code, text = begun(*words)
    assert code == 2
    assert telling in text
    assert len(text.strip().splitlines()) == 1


@pytest.mark.parametrize("task", ["classification", "segmentation", "detection"])
@pytest.mark.parametrize(
    ("file", "content", "telling"),
    [
        ("sample_submission.csv", b"image,colour\n", "expected rows in"),
        ("train.csv", b"\xff\xfe\x00\x01", "expected a csv in"),
    ],
)
def test_new_tells_of_a_csv_that_says_nothing(file, content, telling, task, kit, data):
    (data / file).write_bytes(content)
    code, text = kit("new", "colours", "--task", task)
    assert code == 2
    assert f"{telling} '" in text
    assert file in text


def test_a_hint_names_no_more_words_than_one_reads():
    hint = did_you_mean("?", [f"word{n}" for n in range(SHOWN + 5)])
    assert f"word{SHOWN - 1}, ... ({SHOWN + 5} in all)" in hint


def test_a_damaged_file_of_one_run_is_named_and_hides_no_other(begun, tmp_path):
    folder = tmp_path / "runs" / "colours" / "baseline"
    (folder / "fold0" / "oof.parquet").write_bytes(b"x")
    code, text = begun("oof", "colours")
    assert code == 2
    assert f"expected out-of-fold predictions in '{folder / 'fold0' / 'oof.parquet'}'" in text
    (folder / "fold1" / "config.json").write_text("{")
    (folder / "fold2" / "summary.json").write_text("{")
    with (
        pytest.warns(match=r"fold1 is left out: expected a run's config in"),
        pytest.warns(match=r"fold2 is left out: expected what a run wrote in"),
    ):
        code, text = begun("runs", "colours")
    assert code == 0
    assert "baseline/fold0" in text
    code, text = begun("diff", "colours/baseline/fold0", "colours/baseline/fold1")
    assert code == 2
    assert "config.json', got: " in text
