"""Detectors are fused: their out-of-fold boxes, and what the blend predicts."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from common.commands.chosen import choose_runs
from common.commands.predict import predict_options
from common.inference.detection import predict_boxes
from common.keys import BOXES, FOLD, IMAGE_ID, LABELS, LOSS, PATH, SCORES
from common.metrics.detection import wheat_score
from common.oof import PREDICTED, read_oof
from common.runs import Run

from .experiments import blend, settings, write_folds
from .things import TINY_OF, add_boxes


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
