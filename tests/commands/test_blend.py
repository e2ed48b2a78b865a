"""`kit blend`: what is gained is real, and what does not fit is refused."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from common.blending.blends import HOWS
from common.blending.weights import hill_climb, optimise
from common.commands.chosen import choose_runs
from common.commands.predict import predict_options
from common.inference.classification import predict_classes
from common.inference.plan import read_plan
from common.keys import FOLD, GROUP, IMAGE_ID, LABEL, PATH
from common.runs import Run

from .experiments import blend, write_experiment

COLOURS = ["blue", "green", "red"]
PROBS = ["prob_blue", "prob_green", "prob_red"]


def test_three_that_err_apart_gain_together_in_every_way(project, runs):
    frames = [write_experiment(runs, name, 1.6, seed) for seed, name in enumerate("abc")]
    code, text = blend(project, "--how", "mean", members="abc")
    assert code == 0, text
    for how in HOWS:
        (gain,) = re.findall(rf"^{how} +[\d.]+  ([+-][\d.]+)", text, re.MULTILINE)
        assert float(gain) > 0.02, text
    mean = np.mean([frame[PROBS].to_numpy() for frame in frames], 0)
    folder = runs / "colours" / "blend-mean"
    kept = pd.read_parquet(folder / "oof.parquet")
    np.testing.assert_allclose(kept[PROBS].to_numpy(), mean)
    assert kept[FOLD].tolist() == frames[0][FOLD].tolist()
    content = json.loads((folder / "blend.json").read_text())
    assert content["members"] == ["a", "b", "c"]
    assert content["weights"] == pytest.approx([1 / 3] * 3)
    accuracy = (mean.argmax(1) == frames[0][LABEL]).mean()
    assert content["scores"]["mean"] == pytest.approx(accuracy)
    assert f"mean       {accuracy:.4f}" in text
    assert (folder / "figures" / "correlation.png").stat().st_size > 1000


def test_a_worthless_member_gets_no_weight_and_given_weights_are_taken(project, runs):
    good = write_experiment(runs, "a", 1.2, seed=1)
    bad = write_experiment(runs, "b", 12.0, seed=2)
    assert blend(project, "--how", "hill", "--name", "x")[0] == 0
    content = json.loads((runs / "colours" / "blend-x" / "blend.json").read_text())
    assert content["weights"][0] > 0.75
    assert "kept: mean (no better than a alone)" in blend(project, "--how", "mean")[1]
    assert blend(project, "--how", "mean", "--weights", "0.9,0.1")[0] == 0
    kept = pd.read_parquet(runs / "colours" / "blend-mean" / "oof.parquet")[PROBS]
    np.testing.assert_allclose(kept, 0.9 * good[PROBS] + 0.1 * bad[PROBS])


def test_tuned_ways_never_see_the_fold_that_they_are_scored_on(project, runs):
    """Other labels in fold 0 change what is learnt for folds 1 and 2 alone."""
    for how in ("hill", "stack", "power"):
        for name, seed in (("a", 1), ("b", 2)):
            write_experiment(runs, f"{how}{name}", 1.5, seed)
        members = (f"{how}a", f"{how}b")
        assert blend(project, "--how", how, members=members)[0] == 0
        file = runs / "colours" / f"blend-{how}" / "oof.parquet"
        before = pd.read_parquet(file).set_index(IMAGE_ID)
        for name in members:
            oof = Run(runs / "colours" / name / "fold0").oof_file
            frame = pd.read_parquet(oof)
            frame.assign(**{LABEL: (frame[LABEL] + 1) % 3}).to_parquet(oof, index=False)
        assert blend(project, "--how", how, members=members)[0] == 0
        after = pd.read_parquet(file).set_index(IMAGE_ID)
        own = before[FOLD] == 0
        np.testing.assert_allclose(after.loc[own, PROBS], before.loc[own, PROBS])
        if how == "stack":
            assert not np.allclose(after.loc[~own, PROBS], before.loc[~own, PROBS])


def test_weights_are_those_of_a_fine_grid():
    random = np.random.default_rng(0)
    truth = random.integers(0, 3, 400)
    said = []
    for noise in (1.0, 1.5):
        logits = 2 * np.eye(3)[truth] + noise * random.normal(size=(400, 3))
        said.append(np.exp(logits) / np.exp(logits).sum(1, keepdims=True))

    def gain(weights: np.ndarray) -> float:
        return -log_loss(truth, weights[0] * said[0] + weights[1] * said[1])

    best = max(gain(np.array([w, 1 - w])) for w in np.linspace(0, 1, 201))
    for find in (hill_climb, optimise):
        weights = find(gain, 2)
        assert weights.sum() == pytest.approx(1)
        assert (weights >= 0).all()
        assert gain(weights) == pytest.approx(best, abs=2e-3)


def test_the_stack_that_is_kept_can_be_applied(project, runs):
    frames = [write_experiment(runs, name, 1.5, seed) for seed, name in enumerate("ab")]
    assert blend(project, "--how", "stack")[0] == 0
    content = json.loads((runs / "colours" / "blend-stack" / "blend.json").read_text())
    (model,) = content["options"]["models"]
    said = np.clip(np.stack([frame[PROBS] for frame in frames], 1), 1e-7, 1 - 1e-7)
    odds = np.log(said / (1 - said)).reshape(len(said), -1)
    logits = odds @ np.array(model["coefficients"]).T + model["intercepts"]
    right = np.array(model["classes"])[logits.argmax(1)] == frames[0][LABEL]
    assert right.mean() == pytest.approx(content["scores"]["stack"], abs=0.03)


def test_trained_experiments_are_blended_and_the_blend_predicts(project, runs, data):
    """From `kit train` to a submission, with files as training writes them."""
    from .conftest import FAST

    for name, rate in (("a", "0.01"), ("b", "0.003")):
        words = (*FAST, "data.n_folds=2", f"train.lr={rate}")
        code, text = project("train", "colours", *words, "--fold", "all", "--name", name)
        assert code == 0, text
    code, text = blend(project, "--how", "mean", "--weights", "0.75,0.25")
    assert code == 0, text
    assert "24 samples" in text
    assert len(pd.read_parquet(next(runs.glob("colours/blend-*/oof.parquet")))) == 24
    folds = [f"colours/{name}/fold{k}" for name in "ab" for k in (0, 1)]
    by_hand = ["predict.weights=[3, 3, 1, 1]", *(word for run in folds for word in ("--run", run))]
    for words, out in ((["--run", "blend-mean"], "blended"), (by_hand, "by_hand")):
        code, text = project("predict", "colours", *words, "--out", runs / f"{out}.csv")
        assert code == 0, text
        assert "colours/a/fold1, colours/b/fold0" in text
    assert (runs / "blended.csv").read_bytes() == (runs / "by_hand.csv").read_bytes()
    for how in ("rank", "geometric", "power", "stack"):
        code, text = blend(project, "--how", how)
        assert code == 0, text
    code, text = project("predict", "colours", "--run", "blend-stack")
    assert code == 0, text
    assert "colours/a/fold0, colours/a/fold1, colours/b/fold0, colours/b/fold1" in text
    check_law(project, runs, data)


def check_law(project, runs, data):
    """Of one fold, what the blend says of its images is the blend's own out-of-fold row."""
    for name in "ab":
        shutil.rmtree(runs / "colours" / name / "fold1")
    for how in ("mean", "rank", "geometric"):
        code, text = blend(project, "--how", how, "--weights", "0.7,0.3", "--name", f"one-{how}")
        assert code == 0, text
        oof = pd.read_parquet(runs / "colours" / f"blend-one-{how}" / "oof.parquet")
        frame = oof[[IMAGE_ID]].assign(**{PATH: [str(data / "train" / i) for i in oof[IMAGE_ID]]})
        chosen, blended = choose_runs("colours", [f"blend-one-{how}"], runs)
        checkpoints = [run.best() for run in chosen]
        found = predict_classes(checkpoints, frame, predict_options(checkpoints[0], (), blended))
        np.testing.assert_allclose(found[COLOURS], oof[PROBS], atol=1e-6, err_msg=how)


def test_a_blend_is_scored_like_an_experiment(project, runs):
    frames = [write_experiment(runs, name, 1.6, seed) for seed, name in enumerate("ab")]
    for fold, rows in frames[0].groupby(FOLD):
        groups = [f"g{number // 10}" for number in range(len(rows))]
        file = Run(runs / "colours" / "a" / f"fold{fold}").oof_file
        rows.assign(**{GROUP: groups}).to_parquet(file, index=False)
    assert blend(project, "--how", "geometric", "--name", "x")[0] == 0
    code, text = project("oof", "colours", "-e", "blend-x", "--against", "b")
    assert code == 0, text
    content = json.loads((runs / "colours" / "blend-x" / "blend.json").read_text())
    assert f"pooled {content['scores']['geometric']:.4f}" in text
    assert "300 samples of 3 of 3 folds" in text
    assert "draws of 10 groups" in text
    assert re.search(r"blend-x against b:\n  accuracy: better by \+0\.\d+ \(95% interval", text)
    for words, telling in (
        (("oof", "colours", "-e", "blend-x", "--tta"), "expected an experiment with --tta"),
        (("oof", "colours", "-e", "blend-y"), "blend-x'?; or kit blend colours --run EXPERIMENT"),
        (("oof", "colours", "-e", "blend-y"), "--run EXPERIMENT --name y"),
        (("pseudo", "colours", "-e", "blend-x"), "name a member of the blend"),
        (("blend", "colours", "--run", "blend-x", "--run", "b"), "blend-x is a blend itself"),
        (("predict", "colours", "--run", "blend-x", "--run", "a"), "expected a blend alone"),
    ):
        code, text = project(*words)
        assert (code, telling in text) == (2, True), text


def test_a_member_without_weight_is_not_loaded(project, runs):
    write_experiment(runs, "a", 0.5, seed=1)
    write_experiment(runs, "b", 12.0, seed=2)
    for how in ("mean", "geometric"):
        assert blend(project, "--how", how, "--weights", "1,0")[0] == 0
        chosen, options = choose_runs("colours", [f"blend-{how}"], runs)
        assert [run.name for run in chosen] == [f"colours/a/fold{k}" for k in range(3)]
    plan = read_plan(options["predict.blend"], [run.best() for run in chosen])
    assert (plan.folds, plan.weights.tolist()) == ([3], [1.0])
