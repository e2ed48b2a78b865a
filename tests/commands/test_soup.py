"""`kit soup`: runs like any other, whose weights are means and whose norms fit them."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
import torch

from common.checkpoints import load_checkpoint, save_checkpoint
from common.inference.classification import predict_classes
from common.keys import IMAGE_ID, PATH
from common.runs import Run

from .conftest import COLOURS, FAST

PROBS = [f"prob_{name}" for name in COLOURS]


@pytest.fixture
def cooked(project, tmp_path):
    """Two runs of one fold, and the command line."""
    for name, rate in (("a", "0.01"), ("b", "0.005")):
        words = (*FAST, "data.n_folds=2", "train.epochs=2", "train.keep_best=2", f"train.lr={rate}")
        code, text = project("train", "colours", *words, "--name", name)
        assert code == 0, text
    return project, tmp_path / "runs" / "colours"


def test_soups_are_runs_whose_weights_are_means(cooked, data):
    project, runs = cooked
    kept = [path.name for path in Run(runs / "a" / "fold0").kept()]
    assert len(kept) == 2
    code, text = project("soup", "colours", "--run", "a", "--run", "b", "--how", "uniform")
    assert code == 0, text
    run = Run(runs / "soup" / "fold0")
    soup = load_checkpoint(run.best())
    parts = [load_checkpoint(Run(runs / name / "fold0").best())["weights"] for name in "ab"]
    for key, value in soup["weights"].items():
        mean = (parts[0][key] + parts[1][key]) / 2
        if "running" in key:  # computed anew: no mean of theirs
            assert not torch.allclose(value, mean)
        elif value.is_floating_point():
            torch.testing.assert_close(value, mean)
    check_fits(run, data)
    (said,) = re.findall(r"mean of 2 +(\S+) ", text)
    assert float(said) == pytest.approx(run.summary["metrics"]["valid/accuracy"], abs=1e-4)
    assert project("oof", "colours", "-e", "soup")[0] == 0
    assert project("blend", "colours", "--run", "soup", "--run", "a", "--how", "mean")[0] == 0
    code, text = project("predict", "colours", "--run", "blend-mean")
    assert code == 0, text
    assert "colours/soup/fold0, colours/a/fold0" in text

    code, text = project("soup", "colours", "--run", "a", "--name", "epochs")
    assert code == 0, text
    scores = [float(found) for found in re.findall(r"a/fold0 epoch \d +(\S+)$", text, re.MULTILINE)]
    assert len(scores) >= 2
    assert scores == sorted(scores, reverse=True)
    run = Run(runs / "epochs" / "fold0")
    assert run.summary["metrics"]["valid/accuracy"] >= scores[0] - 1e-4
    assert run.summary["soup"]["of"][0].startswith("colours/a/fold0 epoch")
    check_fits(run, data)
    check_refused(project, runs)


def check_fits(run: Run, data):
    """What the checkpoint predicts of the fold is the out-of-fold file, and its score."""
    oof = pd.read_parquet(run.oof_file)
    frame = oof[[IMAGE_ID]].assign(**{PATH: [str(data / "train" / i) for i in oof[IMAGE_ID]]})
    found = predict_classes([run.best()], frame)
    np.testing.assert_allclose(found[list(COLOURS)], oof[PROBS], atol=1e-6)
    accuracy = (oof[PROBS].to_numpy().argmax(1) == oof["label"]).mean()
    assert run.summary["metrics"]["valid/accuracy"] == pytest.approx(accuracy)


def check_refused(project, runs):
    first, shared = runs / "a" / "fold0", ("soup", "colours", "--run", "a")
    shutil.copytree(first, runs / "c" / "fold1")
    shutil.copytree(first, runs / "other" / "fold0")
    other = Run(runs / "other" / "fold0")
    content = load_checkpoint(other.best())
    content["config"]["model"]["name"] = "resnet18"
    save_checkpoint(other.best(), content)
    shutil.copytree(first, runs / "bare" / "fold0")
    Run(runs / "bare" / "fold0").best().unlink()
    shutil.copytree(first, runs / "moved" / "fold0")
    oof = pd.read_parquet(Run(runs / "moved" / "fold0").oof_file)
    oof[1:].to_parquet(Run(runs / "moved" / "fold0").oof_file)
    for words, telling in (
        (("--run", "b"), "'{}' is there; give another --name"),
        (("--run", "c", "--name", "x"), "expected runs of the same folds, of fold 0 there is"),
        (("--run", "other", "--name", "x"), "average checkpoints of one network"),
        (("--run", "bare", "--name", "x"), "colours/bare/fold0 has none"),
        (("--run", "moved", "--name", "x"), "moved/fold0 was validated on, 1 differ"),
        (("--run", "a", "--name", "x"), "expected different runs"),
        (("--best", "1", "--name", "x"), "expected two checkpoints or more to average, got"),
        (("--how", "greed"), "did you mean 'greedy'?"),
    ):
        code, text = project(*shared, *words)
        assert (code, telling.format(runs / "soup" / "fold0") in text) == (2, True), text
    assert not (runs / "x").exists()
    code, text = project("soup", "colours")
    assert (code, "expected runs to average, got none" in text) == (2, True)
