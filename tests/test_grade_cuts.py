"""Cut points of grades: tuned ones where they are of use and of these folds, else halves."""

import json
import os

import numpy as np
import pytest

from common.config import Config
from common.grade_cuts import as_thresholds, cut_grades, grade_cuts

CONFIG = Config(
    competition="x", classes=("0", "1", "2"), target="ordinal", metric="quadratic_kappa"
)
HALVES = [0.5, 1.5]


@pytest.fixture
def checkpoint(tmp_path):
    (tmp_path / "fold0" / "checkpoints").mkdir(parents=True)
    (tmp_path / "fold0" / "oof.parquet").touch()
    os.utime(tmp_path / "fold0" / "oof.parquet", (1, 1))
    return tmp_path / "fold0" / "checkpoints" / "best.pt"


def content(config=CONFIG, thresholds=None):
    return {"config": config.model_dump(mode="json"), "thresholds": thresholds or {}}


def write(checkpoint, nested=0.6, values=(0.7, 1.2)):
    rule = {"values": list(values), "nested": nested, "naive": 0.7, "usual": 0.5}
    known = {CONFIG.metric: {"cut points of the expected class": rule}}
    (checkpoint.parents[2] / "decisions.json").write_text(json.dumps(known))


def test_halves_unless_something_was_tuned(checkpoint):
    assert grade_cuts(checkpoint, content()) == HALVES
    write(checkpoint)
    assert grade_cuts(checkpoint, content()) == [0.7, 1.2]
    write(checkpoint, nested=None)  # one fold: nothing speaks against it
    assert grade_cuts(checkpoint, content()) == [0.7, 1.2]


def test_what_did_worse_nested_or_is_of_other_grades_is_not_followed(checkpoint):
    write(checkpoint, nested=0.4)
    assert grade_cuts(checkpoint, content()) == HALVES
    write(checkpoint, values=(0.7, 1.2, 2.2))
    assert grade_cuts(checkpoint, content()) == HALVES


def test_what_is_older_than_a_fold_is_told_and_not_followed(checkpoint, capsys):
    write(checkpoint)
    os.utime(checkpoint.parents[2] / "decisions.json", (0, 0))
    assert grade_cuts(checkpoint, content()) == HALVES
    assert "kit oof tunes them anew" in capsys.readouterr().out


def test_a_packed_checkpoint_brings_its_own(checkpoint):
    packed = content(thresholds=as_thresholds([0.8, 1.1]))
    assert grade_cuts(checkpoint, packed) == [0.8, 1.1]


def test_other_targets_are_not_cut(checkpoint):
    write(checkpoint)
    classes = CONFIG.model_copy(update={"target": "classes"})
    assert grade_cuts(checkpoint, content(classes)) == []


def test_the_expected_grade_is_cut():
    probs = np.array([[0.9, 0.1, 0.0], [0.0, 0.3, 0.7], [0.4, 0.2, 0.4]])
    assert cut_grades(probs, HALVES).argmax(1).tolist() == [0, 2, 1]
    assert cut_grades(probs, [0.05, 0.9]).argmax(1).tolist() == [1, 2, 2]
