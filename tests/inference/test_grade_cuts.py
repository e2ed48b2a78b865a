"""Cut points of grades: tuned ones where they are of this model, else halves."""

import json

import numpy as np
import pytest

from common.config import Config
from common.errors import KitError
from common.inference.decisions import signature
from common.inference.grade_cuts import check_cuts, cut_grades, grade_cuts

CONFIG = Config(
    competition="x", classes=("0", "1", "2"), target="ordinal", metric="quadratic_kappa"
)
CONTENT = {"config": CONFIG.model_dump(mode="json"), "epoch": 3, "scores": {"a": 1.0}}
HALVES = [0.5, 1.5]


@pytest.fixture
def checkpoint(tmp_path):
    return tmp_path / "fold0" / "checkpoints" / "best.pt"


def write(checkpoint, cuts=(0.7, 1.2), content=CONTENT):
    kept = {"predict": {"grades": list(cuts)}, "models": {"fold0": signature(content)}}
    (checkpoint.parents[2] / "decisions.json").write_text(json.dumps(kept))


def test_halves_unless_something_was_tuned_for_these_grades(checkpoint):
    assert grade_cuts(checkpoint, CONTENT) == HALVES
    write(checkpoint)
    assert grade_cuts(checkpoint, CONTENT) == [0.7, 1.2]
    write(checkpoint, (0.7, 1.2, 2.2))
    assert grade_cuts(checkpoint, CONTENT) == HALVES


def test_what_is_of_another_training_is_told_and_not_followed(checkpoint):
    write(checkpoint, content={**CONTENT, "epoch": 2})
    with pytest.warns(UserWarning, match="kit oof tunes anew"):
        assert grade_cuts(checkpoint, CONTENT) == HALVES


def test_a_packed_checkpoint_brings_its_own(checkpoint):
    assert grade_cuts(checkpoint, {**CONTENT, "predict": {"grades": [0.8, 1.1]}}) == [0.8, 1.1]


def test_the_expected_grade_is_cut():
    probs = np.array([[0.9, 0.1, 0.0], [0.0, 0.3, 0.7], [0.4, 0.2, 0.4]])
    assert cut_grades(probs, HALVES).argmax(1).tolist() == [0, 2, 1]
    assert cut_grades(probs, [0.05, 0.9]).argmax(1).tolist() == [1, 2, 2]


def test_given_cuts_go_before_tuned_ones_if_they_fit():
    assert check_cuts((), HALVES) == HALVES
    assert check_cuts((0.9, 1.1), HALVES) == [0.9, 1.1]
    for wrong in ((0.9,), (1.1, 0.9)):
        with pytest.raises(KitError, match="expected 2 ascending numbers"):
            check_cuts(wrong, HALVES)
