"""What `kit oof` tuned for masks reaches the prediction, of the models it was tuned on alone."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from common.checkpoints import save_checkpoint
from common.config import Config, PredictConfig
from common.errors import KitError
from common.inference.decisions import DECISIONS, MODELS, PREDICT, decided, mask_rule, signature
from common.inference.mask_rule import MaskRule

FOUND = {
    "pixels": {"threshold": 0.25, "min_area": 64},
    "watershed": {"threshold": 0.75, "min_area": 16, "min_distance": 11},
}


def config_of(**masks) -> Config:
    config = Config(competition="town", task="segmentation", classes=("roof",), metric="iou")
    return config.model_copy(update={f"predict.masks.{key}": value for key, value in masks.items()})


def write(folder: Path, fold: int, score: float = 0.5, **more) -> Path:
    content = {
        "config": config_of().model_dump(mode="json"),
        "weights": {},
        "thresholds": {"mask": 0.375},
        "epoch": 3,
        "scores": {"valid/iou": score, "valid/loss": float("nan")},
        **more,
    }
    path = folder / f"fold{fold}" / "checkpoints" / "best_iou.pt"
    save_checkpoint(path, content)
    return path


@pytest.fixture
def checkpoints(tmp_path) -> list[Path]:
    return [write(tmp_path, fold) for fold in (0, 1)]


def decide(folder: Path, score: float = 0.5) -> None:
    sign = signature({"epoch": 3, "scores": {"valid/iou": score, "valid/loss": float("nan")}})
    content = {PREDICT: FOUND, MODELS: {"fold0": sign, "fold1": sign}}
    (folder / DECISIONS).write_text(json.dumps(content))


def test_without_decisions_it_is_what_each_validation_tuned(checkpoints, capsys):
    assert mask_rule(checkpoints) == MaskRule(0.375, 0)
    assert "threshold 0.375, all parts" in capsys.readouterr().out


def test_decisions_are_taken_by_what_is_submitted(checkpoints, tmp_path, capsys):
    decide(tmp_path)
    assert mask_rule(checkpoints) == MaskRule(0.25, 64)
    assert "threshold 0.25, parts of 64 pixels or more" in capsys.readouterr().out
    objects = config_of(instances="watershed").predict
    assert mask_rule(checkpoints, objects) == MaskRule(0.75, 16, "watershed", 11)
    assert "objects by watershed, 11 pixels apart" in capsys.readouterr().out
    given = config_of(instances="watershed", min_distance=9).predict
    assert mask_rule(checkpoints, given) == MaskRule(0.75, 16, "watershed", 9)
    assert mask_rule(checkpoints, config_of(instances="components").predict).threshold == 0.375


def test_what_the_config_says_comes_first(checkpoints, tmp_path):
    decide(tmp_path)
    given = config_of(threshold=0.4, min_area=0).predict
    assert mask_rule(checkpoints, given) == MaskRule(0.4, 0)
    assert mask_rule(checkpoints, config_of(min_area=5).predict) == MaskRule(0.25, 5)


def test_several_experiments_are_averaged(checkpoints, tmp_path):
    decide(tmp_path)
    other = write(tmp_path / "other", 0)
    assert mask_rule([checkpoints[0], other]) == MaskRule((0.25 + 0.375) / 2, 32)


def test_decisions_on_other_models_are_left_out_aloud(checkpoints, tmp_path):
    decide(tmp_path, score=0.6)
    with pytest.warns(UserWarning, match="is of other models than .*fold0.*; kit oof tunes anew"):
        assert mask_rule(checkpoints[:1]) == MaskRule(0.375, 0)


def test_a_packed_checkpoint_brings_its_own(tmp_path):
    from kernels.packing.light import write_light

    checkpoint = write(tmp_path, 0)
    decide(tmp_path)
    write_light(checkpoint, tmp_path / "elsewhere" / "model.pt")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mask_rule([tmp_path / "elsewhere" / "model.pt"]) == MaskRule(0.25, 64)
    assert decided(Path("/model.pt"), {}) == {}


def test_what_cannot_be_read_or_makes_no_sense_is_told(checkpoints, tmp_path):
    (tmp_path / DECISIONS).write_text("{")
    with pytest.raises(KitError, match=r"expected what kit oof wrote in .*decisions.json.*anew"):
        mask_rule(checkpoints)
    for key, value in (("min_area", -1), ("threshold", 1.5), ("min_distance", 0)):
        with pytest.raises(KitError, match=rf"'predict.masks.{key}': expected .*, got {value}"):
            config_of(**{key: value})
    with pytest.raises(KitError, match=r"did you mean 'predict.masks.min_area'"):
        config_of(min_are=3)


def test_small_parts_go_and_objects_are_numbered():
    found = np.zeros((20, 30), np.float32)
    found[2:10, 2:10], found[15, 15], found[2:12, 20:28] = 0.6, 0.9, 0.8
    rule = MaskRule(0.5, 2)
    np.testing.assert_array_equal(rule.foreground(found), (found > 0.5) & (found < 0.85))
    assert rule.objects(found).max() == 2
    assert MaskRule(0.5, 2)._replace(min_area=0).objects(found).max() == 3
    assert not MaskRule(0.95).foreground(found).any()
    several = np.stack([0.5 + 0 * found, found, 0.7 * (found > 0.7)])
    classes = rule.foreground(several)
    assert classes.shape == (2, 20, 30)
    np.testing.assert_array_equal(classes.sum((1, 2)), [144, 0])
    assert PredictConfig().masks.min_area is None
