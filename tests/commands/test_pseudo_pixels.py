"""`kit pseudo` for masks and boxes: from trained folds to a training with their labels."""

import cv2
import numpy as np
import pandas as pd
import pytest

from common.commands.pseudo import rules_of
from common.commands.pseudo_cuts import cuts_of, parse_cuts
from common.config import Config
from common.errors import KitError
from common.inference.detection import predict_boxes
from common.inference.segmentation import predict_masks
from common.keys import IGNORE
from common.metrics.box_cuts import Cut
from common.runs import Run

from .things import TINY, add_labelled_boxes, add_masks

HEAD = '{"fpn_channels": 64, "num_convs": 1, "extra_levels": false, "strides": [16]}'
QUIET = (*TINY, "log.looks=none")


@pytest.fixture
def trained(kit, things):
    """Return a function that trains two folds of a task on the things."""

    def train(task, add, *words):
        add(things)
        assert kit("new", "things", "--task", task)[0] == 0
        code, text = kit("train", "things", *QUIET, *words, "--fold", "all")
        assert code == 0, text
        return kit

    return train


def run_of(tmp_path, name: str, fold: int) -> Run:
    return Run(tmp_path / "runs" / "things" / name / f"fold{fold}")


def test_images(things) -> pd.DataFrame:
    return pd.DataFrame({"image_id": ["v", "u"], "path": [f"{things}/test/{n}.png" for n in "vu"]})


test_images.__test__ = False


def train_on(kit, tmp_path, *words):
    file = tmp_path / "runs" / "things" / "pseudo-baseline.parquet"
    used = (*QUIET, f"data.pseudo={file}", "data.pseudo_ramp=2", *words)
    code, text = kit("train", "things", *used, "--fold", "1", "--name", "again")
    assert code == 0, text
    oofs = [pd.read_parquet(run_of(tmp_path, n, 1).oof_file) for n in ("again", "baseline")]
    assert oofs[0].image_id.tolist() == oofs[1].image_id.tolist()  # and no pseudo-label


def test_masks_are_those_of_each_folds_own_model(trained, things, tmp_path):
    kit = trained("segmentation", add_masks)
    code, text = kit("pseudo", "things", "--least", "1", "--doubt", "0")
    assert (code, "raise --doubt" in text) == (2, True), text
    runs = [run_of(tmp_path, "baseline", fold) for fold in (0, 1)]
    said = [dict(predict_masks([run.best()], test_images(things))) for run in runs]
    least = min(float(np.median(np.abs(probs - 0.5))) for one in said for probs in one.values())
    least = 0.5 + least  # one epoch leaves all near the middle
    code, text = kit("pseudo", "things", "--least", least, "--doubt", "1")
    assert code == 0, text
    assert "of the pixels count nowhere" in text
    table = pd.read_parquet(tmp_path / "runs" / "things" / "pseudo-baseline.parquet")
    assert table.attrs == {"classes": ["object"], "test_ids": ["v", "u"]}
    for fold, rows in table.groupby("fold"):
        assert set(rows.made_by) == {runs[fold].name}
        for row in rows.itertuples():
            mask, probs = (
                cv2.imdecode(np.frombuffer(row.mask, np.uint8), -1),
                said[fold][row.image_id],
            )
            sure = np.maximum(probs, 1 - probs) >= least
            assert sure.mean() > 0
            np.testing.assert_array_equal(mask, np.where(sure, probs >= 0.5, IGNORE))
    train_on(kit, tmp_path)


def test_boxes_are_those_of_each_folds_own_model(trained, things, tmp_path):
    kit = trained("detection", add_labelled_boxes, f"model.decoder_arguments={HEAD}")
    code, text = kit("pseudo", "things")  # one epoch: sure of nothing
    assert (code, "none of 2 is; the highest score is" in text) == (2, True), text
    code, text = kit("pseudo", "things", "--score", "dark=0.05,light=0.01..0.02")
    assert code == 0, text
    table = pd.read_parquet(tmp_path / "runs" / "things" / "pseudo-baseline.parquet")
    for fold, rows in table.groupby("fold"):
        run = run_of(tmp_path, "baseline", fold)
        assert set(rows.made_by) == {run.name}
        said = predict_boxes([run.best()], test_images(things)).set_index("image_id")
        for row in rows.itertuples():
            np.testing.assert_allclose(
                row.boxes.reshape(-1, 4), said.boxes[row.image_id], rtol=1e-5, atol=1e-4
            )
            names = [("dark", "light")[label] for label in said.labels[row.image_id]]
            assert list(row.labels) == names
    train_on(kit, tmp_path, "train.mosaic=0.5", f"model.decoder_arguments={HEAD}")


BOXES = Config(competition="x", task="detection", classes=("a", "b"), metric="m")


def test_options_of_another_task_and_wrong_numbers_are_refused():
    masks = BOXES.model_copy(update={"task": "segmentation", "classes": ("a",)})
    classes = BOXES.model_copy(update={"task": "classification"})
    for config, values, said in (
        (masks, {"score": "0.5"}, "expected --score for detection alone"),
        (masks, {"soft": True}, "expected --soft for classification alone"),
        (classes, {"doubt": 0.0}, "expected --doubt for segmentation or detection alone"),
        (BOXES, {"least": 0.9, "score": "0.5"}, "got both"),
        (BOXES, {"least": 0.5}, "above 0.5 for boxes"),
        (masks, {"top": 0.0}, "--top above 0"),
        (masks, {"least": 1.5}, "--least and --doubt in 0..1"),
    ):
        usual = {"least": None, "top": 1.0, "doubt": None, "score": "", "soft": False}
        with pytest.raises(KitError, match=said):
            rules_of(config, **(usual | values))
    assert rules_of(BOXES, None, 1.0, None, "", False).least == 0.7


def test_scores_are_given_for_all_or_for_each_class():
    assert parse_cuts("0.6", BOXES) == [Cut(0.6, 0.6)] * 2
    assert parse_cuts("0.3..0.6", BOXES) == [Cut(0.3, 0.6)] * 2
    assert parse_cuts("b=0.2..0.4,a=0.9", BOXES) == [Cut(0.9, 0.9), Cut(0.2, 0.4)]
    for text, said in (
        ("much", "expected scores, got --score 'much'"),
        ("0.6..0.3", "expected ascending scores"),
        ("a=0.5", "got none of b"),
        ("c=0.5", "got 'c'"),
    ):
        with pytest.raises(KitError, match=said):
            parse_cuts(text, BOXES)


def test_cuts_of_a_fold_are_found_on_the_others(tmp_path):
    """What fold 0 validates on has no part in the labels that fold 0 learns from."""
    runs = [Run(tmp_path / "x" / "base" / f"fold{fold}") for fold in range(2)]
    for fold, run in enumerate(runs):
        run.checkpoints.mkdir(parents=True)
        run.config_file.write_text(BOXES.model_dump_json())
        write_boxes(run, 0.5 if fold else 0.9)
    high, low = cuts_of(runs, 1, 0.8), cuts_of(runs, 0, 0.8)
    assert high[0].sure == pytest.approx(0.9, abs=0.05)
    assert low[0].sure == pytest.approx(0.5, abs=0.05)


def write_boxes(run: Run, limit: float) -> None:
    """Boxes of class a that are right where they score more than a limit."""
    scores = np.linspace(0.02, 0.98, 200)
    here, there = [0.0, 0, 9, 9], [50.0, 50, 60, 60]
    frame = pd.DataFrame(
        {
            "image_id": [f"{run.fold}-{n}" for n in range(200)],
            "boxes": [here] * 200,
            "labels": [[0]] * 200,
            "predicted_boxes": [here if score > limit else there for score in scores],
            "predicted_labels": [[0]] * 200,
            "predicted_scores": [[score] for score in scores],
        }
    )
    frame.to_parquet(run.oof_file, index=False)
