"""The command line from raw files to a valid submission, and what it says of mistakes."""

import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from common.commands.runs import LISTED
from common.commands.scaffold.files import fill
from common.commands.scaffold.kinds import CLASSES
from common.runs import Run

from .conftest import FAST
from .experiments import replace

ROOT = Path(__file__).parents[2]


def test_from_raw_files_to_a_valid_submission(project, data, tmp_path):
    code, text = project("check", "colours", "--no-model")
    assert code == 0
    assert "train: 24 images; test: 12 images" in text
    code, text = project("train", "colours", *FAST, "train.epochs=4", "train.lr=0.01")
    assert code == 0, text
    assert "report.html" in text
    code, text = project("predict", "colours", "--out", tmp_path / "submission.csv")
    assert code == 0, text
    submission = pd.read_csv(tmp_path / "submission.csv")
    sample = pd.read_csv(data / "sample_submission.csv")
    assert submission.columns.tolist() == sample.columns.tolist()
    assert submission.image.tolist() == sample.image.tolist()
    assert project("check", "colours", "--submission", "submission.csv")[0] == 0


def test_all_folds_score_out_of_fold_and_are_listed(project, data, tmp_path):
    code, text = project("train", "colours", *FAST, "data.n_folds=3", "--fold", "all")
    assert code == 0, text
    code, text = project("oof", "colours")
    assert code == 0
    assert "24 samples of 3 of 3 folds" in text
    parts = [pd.read_parquet(path) for path in tmp_path.glob("runs/colours/*/fold*/oof.parquet")]
    everything = pd.concat(parts)
    assert sorted(everything.image_id) == sorted(pd.read_csv(data / "train.csv").image)
    code, text = project("runs", "--json")
    rows = json.loads(text)
    assert [row["fold"] for row in rows] == [0, 1, 2]
    assert set(rows[0]) == set(LISTED)
    code, text = project("diff", rows[0]["name"], rows[1]["name"])
    assert "valid/loss" in text
    assert "train.lr" not in text
    code, text = project("predict", "colours", "--run", rows[0]["name"], "--run", rows[2]["name"])
    assert code == 0, text
    assert (
        project("train", "colours", *FAST, "data.n_folds=3", "--resume")[1].count("finished") == 1
    )


def test_folders_per_class_and_probabilities_are_found(kit, data, tmp_path):
    train = pd.read_csv(data / "train.csv")
    for row in train.itertuples():
        place = data / "train" / row.colour
        place.mkdir(exist_ok=True)
        (data / "train" / row.image).rename(place / row.image)
    (data / "train.csv").unlink()
    sample = pd.read_csv(data / "sample_submission.csv")[["image"]]
    sample.assign(blue=0.5, green=0.5, red=0.5).to_csv(data / "sample_submission.csv", index=False)
    assert kit("new", "colours")[0] == 0
    code, text = kit("train", "colours", *FAST)
    assert code == 0, text
    assert kit("predict", "colours")[0] == 0
    values = pd.read_csv("submission.csv")[["blue", "green", "red"]]
    np.testing.assert_allclose(values.sum(axis=1), 1, rtol=1e-5)


def test_ctrl_c_says_how_to_go_on(project, monkeypatch):
    from common.callbacks.record import Record

    real = Record.after_batch

    def after_batch(self):
        real(self)
        if self.learn.train_iter == 2:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Record, "after_batch", after_batch)
    code, text = project("train", "colours", *FAST, "train.epochs=3")
    assert code == 130
    assert f"kit train colours {' '.join(FAST)} train.epochs=3 --resume" in text
    monkeypatch.setattr(Record, "after_batch", real)
    code, text = project("train", "colours", *FAST, "train.epochs=3", "--resume")
    assert code == 0
    assert "resuming after epoch 0, batch 2" in text


MISTAKES = [
    (["train", "colour"], "unknown competition 'colour'; did you mean 'colours'?"),
    (["train", "colours", "--experiment", "basline"], "did you mean 'baseline'?"),
    (["train", "colours", "train.epoch=3"], "did you mean 'train.epochs'?"),
    (["train", "colours", "train.epochs=x"], "'train.epochs': expected integer"),
    (["train", "colours", "--fold", "9"], "expected --fold of 0 to 4 or all, got '9'"),
    (["train", "colours", "--data", "nowhere"], "expected the data of colours in 'nowhere'"),
    (["train", "colours", "--name", "lr/3"], "expected a name of one folder in --name, got 'lr/3'"),
    (["soup", "colours", "--run", "a", "--name", ".."], "a name of one folder in --name, got '..'"),
    (["soup", "colours", "--run", "a", "--best", "-1"], "'--best'"),
    (["blend", "colours", "--run", "a", "--name", "../b"], "in --name, got 'blend-../b'"),
    (["train", "colours", "metric=acuracy", *FAST], "accuracy"),
    (["train", "colours", *FAST, "log.looks=confusoin"], "did you mean 'confusion'?"),
    (["predict", "colours"], "expected a trained run of colours"),
    (["predict", "colours", "--run", "x/y/fold0"], "unknown run 'x/y/fold0'"),
    (["oof", "colour"], "unknown competition 'colour'; did you mean 'colours'?"),
    (["blend", "colour", "--run", "a"], "unknown competition 'colour'"),
    (["oof", "colours"], "kit train colours --experiment baseline"),
    (["demo", "colours"], "holds files; they are left alone"),
    (["new", "colours"], "exists; it is left as it is"),
    (["new", "my-task"], "a name that Python can import"),
    (["new", "other", "--task", "poetry"], "expected --task of classification"),
    (["check", "colours", "--submission", "no.csv"], "no.csv"),
]


@pytest.mark.parametrize(("words", "telling"), MISTAKES, ids=lambda value: str(value)[:40])
def test_a_mistake_is_one_line_and_exit_code_2(project, words, telling):
    code, text = project(*words)
    assert code == 2
    assert telling in text
    assert "Traceback" not in text


def test_a_mistaken_name_is_compared_with_the_competitions_own(begun, tmp_path):
    other = tmp_path / "runs" / "other" / "baslines" / "fold0"
    shutil.copytree(tmp_path / "runs" / "colours" / "baseline" / "fold0", other)
    code, text = begun("predict", "colours", "--run", "basline")
    assert (code, "did you mean 'baseline'?" in text) == (2, True)
    code, text = begun("oof", "colours", "--parts")
    assert (code, text.startswith("error: expected masks with --parts")) == (2, True)


def test_an_existing_run_is_kept(project, tmp_path):
    assert project("train", "colours", *FAST)[0] == 0
    run = Run(tmp_path / "runs" / "colours" / "baseline" / "fold0")
    before = run.last.read_bytes()
    code, text = project("train", "colours", *FAST)
    assert code == 2
    assert "--resume" in text
    assert run.last.read_bytes() == before
    assert project("train", "colours", *FAST, "--name", "again")[0] == 0


def test_a_mistake_before_the_first_step_leaves_no_run_behind(project, tmp_path):
    wrong = ("train", "colours", *FAST, "--fold", "all", "train.loss.nonsense=1")
    code, text = project(*wrong)
    assert (code, "nonsense" in text) == (2, True)
    assert not list((tmp_path / "runs").rglob("config.json"))
    assert project(*wrong) == (code, text)  # the folder is no run that stands in the way


def test_a_broken_and_a_missing_test_image_are_named_and_predicted_all_the_same(project, data):
    assert project("train", "colours", *FAST)[0] == 0
    names = pd.read_csv(data / "sample_submission.csv").image
    replace(data / "test" / names[2], b"")
    (data / "test" / names[5]).unlink()
    with pytest.warns(UserWarning, match="gets a fallback") as told:
        code, text = project("predict", "colours")
    assert code == 0, text
    assert "(valid)" in text
    texts = [str(warning.message) for warning in told]
    assert any("0 bytes" in said and names[2] in said for said in texts)
    assert any("No such file" in said and names[5] in said for said in texts)
    assert pd.read_csv("submission.csv").image.tolist() == names.tolist()
    for name in names:
        (data / "test" / name).unlink(missing_ok=True)
        (data / "test" / name).touch()
    with pytest.warns(UserWarning, match="fallback"):
        code, text = project("predict", "colours")
    assert code == 2
    assert "12 of 12 broken" in text


def test_options_of_predicting_may_be_overridden_and_nothing_else(project, data):
    assert project("train", "colours", *FAST)[0] == 0
    results = []
    for words in ([], ["predict.tta=d4", "predict.scales=1,2"], ["predict.time_limit=9"]):
        code, text = project("predict", "colours", *words)
        assert code == 0, text
        results.append(Path("submission.csv").read_bytes())
    assert results[0] == results[2]
    for word, telling in (
        ("train.epochs=3", "expected overrides of predict.*, got 'train.epochs'"),
        ("tta=d4", "did you mean 'predict.tta'?"),
        ("predict.tat=d4", "did you mean 'predict.tta'?"),
        ("predict.tta=d5", "'predict.tta': expected 'none', 'flip', 'mirrors', 'd4' or"),
        ("predict.scales=0", "'predict.scales.0': expected"),
    ):
        code, text = project("predict", "colours", word)
        assert code == 2, text
        assert telling in text


def test_templates_are_the_same_story_as_the_competition():
    for name in ("train.py", "predict.py"):
        made = fill("classification", name, {**CLASSES, "name": "alaska2_classification"})
        assert made == (ROOT / "competitions" / "alaska2_classification" / name).read_text()


def test_an_exploding_training_stops_with_a_code_of_its_own(project, tmp_path):
    code, text = project("train", "colours", *FAST, "train.lr=1e38", "train.schedule=constant")
    assert code == 3, text
    assert "stopped by anomaly: the " in text
    assert "first at conv2d in body.conv1" in text
    assert "go on with" in text
    assert "train.anomaly=skip" in text
    assert list(tmp_path.glob("runs/colours/*/fold0/anomalies/step*/report.json"))
    figures = list(tmp_path.glob("runs/colours/*/fold0/figures/*anomaly*"))
    assert {path.suffix for path in figures} >= {".jpg", ".parquet"}, figures
