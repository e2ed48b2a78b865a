"""Labels are cut where kit oof found best, or where the person says."""

import json

import numpy as np
import pytest

from common.checkpoints import load_checkpoint, save_checkpoint
from common.config import PredictConfig
from common.errors import KitError
from common.inference.decisions import signature
from common.inference.label_thresholds import label_thresholds


@pytest.fixture
def checkpoints(tmp_path, config):
    """Two folds' checkpoints, and what kit oof found for the first one alone."""
    made = []
    for fold in range(2):
        file = tmp_path / f"fold{fold}" / "checkpoints" / "best.pt"
        content = {"config": config.model_dump(mode="json"), "epoch": fold, "scores": {}}
        save_checkpoint(file, content)
        made.append(file)
    return made


def keep(checkpoints, values):
    models = {path.parents[1].name: signature(load_checkpoint(path)) for path in checkpoints}
    content = {"predict": {"labels": values}, "models": models}
    (checkpoints[0].parents[2] / "decisions.json").write_text(json.dumps(content))


def test_untuned_labels_are_there_from_a_half(checkpoints, capsys):
    assert label_thresholds(checkpoints) == [0.5, 0.5, 0.5]
    assert "labels: there from blue 0.5, green 0.5, red 0.5" in capsys.readouterr().out


@pytest.mark.parametrize("values", [[0.3], [0.2, 0.4, 0.9]])
def test_what_kit_oof_found_is_taken_unless_the_person_says(checkpoints, values):
    keep(checkpoints, values)
    expected = values * (3 // len(values))
    np.testing.assert_allclose(label_thresholds(checkpoints), expected)
    assert label_thresholds(checkpoints, PredictConfig(thresholds=(0.7,))) == [0.7] * 3


def test_thresholds_of_several_checkpoints_are_averaged_by_their_shares(checkpoints):
    keep(checkpoints[:1], [0.2])
    with pytest.warns(UserWarning, match="other models"):
        found = label_thresholds(checkpoints, PredictConfig(weights=(3.0, 1.0)))
    np.testing.assert_allclose(found, [(3 * 0.2 + 0.5) / 4] * 3)


def test_neither_one_nor_one_for_each_is_refused(checkpoints):
    with pytest.raises(KitError, match=r"all 3 classes or for each .* got 2"):
        label_thresholds(checkpoints, PredictConfig(thresholds=(0.1, 0.2)))
