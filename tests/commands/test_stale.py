"""What was made before the test set changed, and runs that have lost what they need: told."""

from pathlib import Path

import pandas as pd
import pytest

from common.competition import Competition
from common.runs import Run

from .experiments import grow, write_experiment


@pytest.fixture
def submission(data, tmp_path) -> Path:
    """Written for the test set as it is at first."""
    sample = pd.read_csv(data / "sample_submission.csv")
    file = tmp_path / "old.csv"
    colours = (["blue", "green", "red"] * len(sample))[: len(sample)]
    sample.assign(colour=colours).to_csv(file, index=False)
    return file


def test_a_submission_for_fewer_images_names_the_new_ones(project, data, submission):
    assert project("check", "colours", "--submission", submission)[0] == 0
    grow(data, pd.read_csv(data / "sample_submission.csv"))
    code, text = project("check", "colours", "--submission", submission)
    assert code == 2
    assert "expected id 'new.jpg' as on this line of the sample, got none: it is missing" in text
    sample = pd.read_csv(data / "sample_submission.csv")
    sample[1:-1].to_csv(data / "sample_submission.csv", index=False)
    code, text = project("check", "colours", "--submission", submission)
    assert (code, f"got the extra id '{sample.image[0]}'" in text) == (2, True), text


def test_test_images_that_no_row_asks_for_are_told(project, data):
    sample = (data / "sample_submission.csv").read_text()
    grow(data, pd.read_csv(data / "sample_submission.csv"))
    (data / "sample_submission.csv").write_text(sample)
    with pytest.warns(UserWarning, match=r"1 image files in .*test' have no row: 'new\.jpg'"):
        Competition.find("colours").module("data").read_test(data)


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "colours", "--run", "baseline"),
        ("kernel", "pack", "colours", "--run", "baseline"),
        ("oof", "colours", "--tta"),
    ],
    ids=lambda words: words[0],
)
def test_a_run_without_its_checkpoint_is_named(begun, tmp_path, words):
    for fold in range(3):
        run = Run(tmp_path / "runs" / "colours" / "baseline" / f"fold{fold}")
        if "oof" in words:
            rows = pd.read_parquet(run.oof_file).rename(columns={"colour": "label"})
            kinds = ("blue", "green", "red")
            probs = {f"prob_{kind}": 1.0 * (rows.label == kind) for kind in kinds}
            rows.assign(**probs, label=rows.label.map(kinds.index)).to_parquet(run.oof_file)
    Run(tmp_path / "runs" / "colours" / "baseline" / "fold1").best().unlink()
    code, text = begun(*words)
    assert code == 2, text
    last = text.splitlines()[-1]
    assert last.startswith("error: expected a best checkpoint in")
    assert "colours/baseline/fold1" in last
    assert "train it" in last


def test_weights_of_checkpoints_are_positive_and_as_many(begun):
    for word, said in (
        ("predict.weights=-1,2,3", "'predict.weights.0': expected greater than or equal to 0"),
        ("predict.weights=1,x", "'predict.weights.1': expected number"),
    ):
        code, text = begun("predict", "colours", "--run", "baseline", word)
        assert (code, said in text) == (2, True), text


def test_weights_of_nothing_are_no_blend(project, tmp_path):
    for seed, name in enumerate("ab"):
        write_experiment(tmp_path / "runs", name, seed=seed)
    words = ("blend", "colours", "--run", "a", "--run", "b", "--weights")
    for text, telling in (
        ("0,0", "add up to 1, got 0; give equal ones"),
        ("nan,1", "of 0 or more"),
    ):
        code, said = project(*words, text)
        assert (code, telling in said) == (2, True), said
