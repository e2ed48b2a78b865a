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
from common.inference.detection import predict_boxes
from common.inference.plan import read_plan
from common.keys import BOXES, FOLD, GROUP, IMAGE_ID, LABEL, LABELS, LOSS, PATH, SCORES
from common.metrics.detection import wheat_score
from common.oof import PREDICTED, read_oof
from common.runs import Run

from .experiments import settings, write_experiment, write_folds
from .things import TINY_OF, add_boxes

COLOURS = ["blue", "green", "red"]
PROBS = ["prob_blue", "prob_green", "prob_red"]


@pytest.fixture
def runs(project, tmp_path):
    return tmp_path / "runs"


def blend(project, *words, members=("a", "b")):
    named = [word for member in members for word in ("--run", member)]
    return project("blend", "colours", *named, *words)


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


def drop_rows(runs):
    file = Run(runs / "colours" / "b" / "fold1").oof_file
    pd.read_parquet(file)[2:].to_parquet(file, index=False)


def drop_oof(runs):
    for fold in range(3):
        Run(runs / "colours" / "b" / f"fold{fold}").oof_file.unlink()


def change_folds(runs):
    file = Run(runs / "colours" / "b" / "fold1").oof_file
    pd.read_parquet(file).assign(**{FOLD: 2}).to_parquet(file, index=False)


def change_labels(runs):
    file = Run(runs / "colours" / "b" / "fold1").oof_file
    frame = pd.read_parquet(file)
    frame.loc[:3, LABEL] = (frame.loc[:3, LABEL] + 1) % 3
    frame.to_parquet(file, index=False)


def change_classes(runs):
    for fold in range(3):
        file = runs / "colours" / "b" / f"fold{fold}" / "config.json"
        file.write_text(settings(classes=("red", "green", "blue")).model_dump_json())


def segment(runs):
    for fold in range(3):
        file = runs / "colours" / "a" / f"fold{fold}" / "config.json"
        file.write_text(settings(task="segmentation").model_dump_json())


def drop_checkpoint(runs):
    Run(runs / "colours" / "b" / "fold1").best().unlink()


REFUSED = {
    "other ids": (drop_rows, (), "2 are lacking: 'i001', 'i004'"),
    "no out-of-fold file": (drop_oof, (), "expected out-of-fold predictions of colours/b"),
    "other folds": (change_folds, (), "100 samples are in another one: 'i001'"),
    "other labels": (change_labels, (), "4 samples have others"),
    "other classes": (change_classes, (), "b has ('red', 'green', 'blue')"),
    "masks": (segment, (), "average masks when predicting: kit predict colours --run A/fold0"),
    "no checkpoint": (drop_checkpoint, (), "1 of b have none: 'colours/b/fold1'"),
    "a sum of 1.2": (None, ("--weights", "0.9,0.3"), "add up to 1, got 1.2; give 0.75,0.25"),
    "negative": (None, ("--weights=-0.5,1.5",), "expected weights of 0 or more"),
    "too many": (None, ("--weights", "0.5,0.2,0.3"), "expected 2 weights, one for each of a, b"),
    "no numbers": (None, ("--weights", "half"), "expected --weights such as 0.6,0.4"),
    "weights that are found": (
        None,
        ("--how", "hill", "--weights", "0.5,0.5"),
        "expected no --weights with --how hill",
    ),
    "not a way": (None, ("--how", "hil"), "did you mean 'hill'?"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_does_not_fit_is_refused(what, project, runs):
    spoil, words, telling = REFUSED[what]
    write_experiment(runs, "a")
    write_experiment(runs, "b", seed=1)
    if spoil:
        spoil(runs)
    code, text = blend(project, *words)
    assert code == 2, text
    assert telling in text
    assert "Traceback" not in text


def test_one_alone_is_no_blend(project, runs):
    write_experiment(runs, "a")
    for members in (("a",), ("a", "a"), ()):
        code, text = blend(project, members=members)
        assert code == 2
        assert "expected two or more different experiments" in text


def test_of_one_fold_nothing_is_tuned(project, runs):
    for seed, name in enumerate("ab"):
        write_experiment(runs, name, 1.5, seed)
        for fold in (1, 2):
            Run(runs / "colours" / name / f"fold{fold}").oof_file.unlink()
    code, text = blend(project)
    assert code == 0, text
    assert "hill" not in text
    code, text = blend(project, "--how", "stack")
    assert code == 2
    assert "expected 2 folds or more for --how stack" in text


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


def test_boxes_are_fused(project, runs):
    """Two detectors that shake in their own ways; together they shake less."""
    config = settings(task="detection", classes=("head",), metric="wheat_score", watch=())
    random, truth = np.random.default_rng(0), []
    for _ in range(30):
        corner = np.arange(4)[:, None] * 60.0 + random.uniform(0, 20, (4, 2))
        truth.append(np.hstack([corner, corner + 30]))
    for name in "ab":
        rows = [
            {
                IMAGE_ID: f"i{n:02d}", BOXES: boxes.ravel(), LABELS: np.zeros(4, int),
                PREDICTED + BOXES: (boxes + random.normal(0, 2, boxes.shape)).ravel(),
                PREDICTED + LABELS: np.zeros(4, int), PREDICTED + SCORES: np.full(4, 0.9),
                LOSS: 0.0, FOLD: n % 3,
            }
            for n, boxes in enumerate(truth)
        ]  # fmt: skip
        write_folds(runs, name, pd.DataFrame(rows), config)
    code, text = blend(project)
    assert code == 0, text
    (gain,) = re.findall(r"^mean +[\d.]+  ([+-][\d.]+)", text, re.MULTILINE)
    assert float(gain) > 0.03
    kept = pd.read_parquet(runs / "colours" / "blend-mean" / "oof.parquet")
    score = wheat_score(*read_oof(kept, config), confidence=0.5)
    assert f"mean       {score:.4f}" in text


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


def test_boxes_get_weights_an_iou_and_a_least_score_from_other_folds(project, runs, monkeypatch):
    """One detector is right; the other one shakes, and invents boxes of which it is unsure."""
    monkeypatch.setattr("common.blending.boxes.IOUS", (0.4, 0.55))
    monkeypatch.setattr("common.blending.boxes.LEASTS", (0.0, 0.1))
    write_detectors(runs, 12, invented=0.05)
    code, text = blend(project, "--how", "optimise")
    assert code == 0, text
    folder = runs / "colours" / "blend-optimise"
    content = json.loads((folder / "blend.json").read_text())
    scores, weights = content["scores"], content["weights"]
    assert scores["optimise"] > scores["mean"] + 0.02, text
    assert weights[0] > weights[1]
    assert sum(weights) == pytest.approx(1)
    assert not (folder / "blend.pt").exists()
    chosen, options = choose_runs("colours", ["blend-optimise"], runs)
    assert len(options["predict.weights"]) == len(chosen)
    assert options["predict.fuse_iou"] == content["options"]["iou"]
    assert options["predict.fuse_least"] == content["options"]["least"]
    assert 0 < options["predict.confidence"] < 1
    before = pd.read_parquet(folder / "oof.parquet").set_index(IMAGE_ID)
    for name in "ab":  # other truths in fold 0 change nothing of what fold 0 is told
        oof = Run(runs / "colours" / name / "fold0").oof_file
        frame = pd.read_parquet(oof)
        frame[BOXES] = [boxes + 100 for boxes in frame[BOXES]]
        frame.to_parquet(oof, index=False)
    assert blend(project, "--how", "optimise")[0] == 0
    after = pd.read_parquet(folder / "oof.parquet").set_index(IMAGE_ID)
    for image in before.index[before[FOLD] == 0]:
        for key in (BOXES, SCORES):
            np.testing.assert_allclose(
                after.loc[image, PREDICTED + key], before.loc[image, PREDICTED + key]
            )


def write_detectors(runs, count: int, invented: float = 0.0):
    """Write a and b, who find the same boxes; b is off by more, and invents some."""
    config = settings(task="detection", classes=("head",), metric="wheat_score", watch=())
    random, truth = np.random.default_rng(0), []
    for _ in range(count):
        corner = np.arange(4)[:, None] * 60.0 + random.uniform(0, 20, (4, 2))
        truth.append(np.hstack([corner, corner + 30]))
    for name, noise in (("a", 1.0), ("b", 4.0)):
        rows = []
        for n, boxes in enumerate(truth):
            found, scores = boxes + random.normal(0, noise, boxes.shape), np.full(4, 0.9)
            if name == "b" and invented:
                found = np.concatenate([found, boxes[:, [0, 1, 0, 1]] + [35, 0, 55, 20]])
                scores = np.append(scores, np.full(4, invented))
            rows.append({
                IMAGE_ID: f"i{n:02d}", BOXES: boxes.ravel(), LABELS: np.zeros(4, int),
                PREDICTED + BOXES: found.ravel(), PREDICTED + SCORES: scores,
                PREDICTED + LABELS: np.zeros(len(found), int), LOSS: 0.0, FOLD: n % 3,
            })  # fmt: skip
        write_folds(runs, name, pd.DataFrame(rows), config)


def test_trained_detectors_are_fused_as_the_blend_was(kit, runs_of_things, things, tmp_path):
    """Out of fold boxes lie in the network's picture, predicted ones in the file's."""
    words = ("--run", "a", "--run", "b", "--how", "mean", "--weights", "0.8,0.2")
    code, text = kit("blend", "things", *words)
    assert code == 0, text
    chosen, blended = choose_runs("things", ["blend-mean"], runs_of_things)
    assert blended["predict.weights"] == pytest.approx([0.8, 0.2])
    assert "predict.confidence" in blended
    oof = pd.read_parquet(runs_of_things / "things" / "blend-mean" / "oof.parquet")
    frame = oof[[IMAGE_ID]].assign(
        **{PATH: [str(things / "train" / f"{i}.png") for i in oof[IMAGE_ID]]}
    )
    checkpoints = [run.best() for run in chosen]
    options = predict_options(checkpoints[0], ["predict.confidence=0"], blended)
    found = predict_boxes(checkpoints, frame, options)
    scale = np.array([64 / 64, 64 / 48] * 2)  # the files are 64 x 48
    for row, known in zip(found.itertuples(), oof.to_dict("records"), strict=True):
        expected = known[PREDICTED + BOXES].reshape(-1, 4)
        assert len(expected) > 0
        np.testing.assert_allclose(row.boxes * scale, expected, atol=1e-3)
        np.testing.assert_allclose(row.scores, known[PREDICTED + SCORES], atol=1e-5)
    code, text = kit("predict", "things", "--run", "blend-mean")
    assert code == 0, text
    code, text = kit("blend", "things", *words[:4], "--how", "optimise")
    assert (code, "expected 2 folds or more for --how optimise" in text) == (2, True)


@pytest.fixture
def runs_of_things(kit, things, tmp_path):
    """One fold of two detectors that have hardly learnt anything."""
    add_boxes(things)
    assert kit("new", "things", "--task", "detection")[0] == 0
    for name, rate in (("a", 0.01), ("b", 0.003)):
        words = (*TINY_OF["detection"], "log.looks=none", f"train.lr={rate}")
        code, text = kit("train", "things", *words, "--name", name)
        assert code == 0, text
    return tmp_path / "runs"
