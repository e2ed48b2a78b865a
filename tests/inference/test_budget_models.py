"""Predictions under a time limit, of networks that take the clock with them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from common.checkpoints import save_checkpoint
from common.config import Config, PredictConfig
from common.inference import detection, each_model, segmentation
from common.inference.classification import predict_classes
from common.inference.detection import predict_boxes
from common.inference.outcome import last_outcome
from common.inference.plan import Plan, write_plan
from common.inference.segmentation import predict_masks
from common.keys import BOXES, IMAGE, LABELS, LOGITS, MASK_LOGITS, SCORES

from .hours import HOUR, Clock, hours

FULL = {"tta": "d4", "scales": (1.0, 1.5)}  # 16 passes


class Slow(nn.Module):
    """Says how bright a picture is, half a second per image; knows nothing of views."""

    seconds, calls = 0.5, 0

    def forward(self, batch: dict) -> dict:
        image = batch[IMAGE].float() / 255
        Clock.now += Slow.seconds * len(image)
        Slow.calls += len(image)
        logits = image.mean((2, 3)) * 3
        ones = [torch.full((1,), 0.5) for _ in image]
        boxes = [torch.tensor([[2.0, 2, 20, 20]]) for _ in image]
        return {
            LOGITS: logits,
            MASK_LOGITS: image * 6,
            BOXES: boxes,
            LABELS: [torch.zeros(1, dtype=torch.int64) for _ in image],
            SCORES: ones,
        }


@pytest.fixture
def slow(clock, monkeypatch):
    for module, name in (
        (each_model, "make_classifier"),
        (segmentation, "make_segmenter"),
        (detection, "make_detector"),
    ):
        monkeypatch.setattr(module, name, lambda config, load_weights: Slow())
    Slow.seconds, Slow.calls = 0.5, 0


@pytest.fixture
def checkpoints(config: Config, tmp_path) -> list[Path]:
    content = {"config": config.model_copy(update={"train.batch_size": 4}).model_dump(mode="json")}
    for name in "ab":
        save_checkpoint(tmp_path / f"{name}.pt", {**content, "weights": {}, "thresholds": {}})
    return [tmp_path / f"{name}.pt" for name in "ab"]


def classes_of(*arguments) -> np.ndarray:
    return predict_classes(*arguments).drop(columns="image_id").to_numpy()


def test_a_limit_that_is_far_changes_no_byte(slow, colours, checkpoints) -> None:
    free = PredictConfig(**FULL)
    far = free.model_copy(update={"time_limit": 100})
    assert classes_of(checkpoints, colours, free).tobytes() == (
        classes_of(checkpoints, colours, far).tobytes()
    )
    boxes = [predict_boxes(checkpoints, colours, options) for options in (free, far)]
    pd.testing.assert_frame_equal(*boxes)
    masks = [dict(predict_masks(checkpoints, colours, options)) for options in (free, far)]
    for image_id, mask in masks[0].items():
        assert mask.tobytes() == masks[1][image_id].tobytes()


def test_classes_are_means_over_what_was_done(slow, colours, checkpoints) -> None:
    full = classes_of(checkpoints, colours, PredictConfig(tta="d4"))
    Clock.now = 10.0
    options = PredictConfig(tta="d4", time_limit=hours(10 + 36 * 0.5 + 33))
    found = predict_classes(checkpoints, colours, options)
    assert found.image_id.tolist() == colours.image_id.tolist()
    # The network sees no difference between views: any mean of them is the same.
    np.testing.assert_allclose(found.drop(columns="image_id"), full, atol=1e-6)
    told = last_outcome().given_up
    assert [line.split()[1] for line in told] == ["views", "models"]
    assert Clock.now < HOUR * options.time_limit


def test_rows_that_time_does_not_reach_get_the_fallback(slow, colours, checkpoints) -> None:
    full = classes_of(checkpoints[:1], colours, PredictConfig())
    Clock.now, Slow.calls = 10.0, 0
    options = PredictConfig(time_limit=hours(10 + 6))
    found = classes_of(checkpoints, colours, options)
    done = Slow.calls
    assert 4 <= done <= 12
    np.testing.assert_allclose(found[:done], full[:done], atol=1e-6)
    np.testing.assert_allclose(found[done:], [full[:done].mean(0)] * (36 - done), rtol=1e-5)
    assert f"{36 - done} of 36" in last_outcome().given_up[-1]

    Clock.now = 10.0
    boxes = predict_boxes(checkpoints, colours, options)
    lengths = boxes[BOXES].map(len).to_numpy()
    assert boxes.image_id.tolist() == colours.image_id.tolist()
    assert 0 < lengths.sum() < 36
    assert boxes[BOXES].iloc[-1].shape == (0, 4)
    assert last_outcome().given_up[-1].endswith("fallback")

    Clock.now = 10.0
    masks = list(predict_masks(checkpoints, colours, options, tile=32, num_workers=0))
    assert [image_id for image_id, _ in masks] == colours.image_id.tolist()
    assert {mask.shape for _, mask in masks} == {(3, 40, 48)}
    assert masks[0][1][1:].any()
    assert not masks[-1][1][1:].any()
    assert (masks[-1][1][0] == 1).all()
    assert last_outcome().given_up[-1].endswith("fallback")


def test_masks_give_up_views_then_models_and_stay_means(slow, colours, checkpoints) -> None:
    full = dict(predict_masks(checkpoints, colours, PredictConfig(tta="d4"), tile=32))
    Clock.now, Slow.seconds = 10.0, 0.1  # 4 tiles each
    options = PredictConfig(tta="d4", time_limit=hours(10 + 36 * 4 * 0.1 + 18))
    found = dict(predict_masks(checkpoints, colours, options, tile=32))
    for image_id, mask in found.items():
        np.testing.assert_allclose(mask, full[image_id], atol=1e-5)
    assert [line.split()[1] for line in last_outcome().given_up] == ["views", "models"]
    assert Clock.now < HOUR * options.time_limit


@pytest.mark.parametrize("how", ["geometric", "stack"])
def test_a_blend_whose_second_member_is_late_says_so_and_is_of_the_first(
    slow, colours, checkpoints, tmp_path, how
) -> None:
    model = {"coefficients": np.eye(3, 6).tolist(), "intercepts": [9.0, 0, 0], "classes": [0, 1, 2]}
    plan = Plan(how, [1, 1], np.array([0.4, 0.6]), False, models=[model])
    write_plan(plan, tmp_path / "blend.pt")
    alone = classes_of(checkpoints[:1], colours, PredictConfig())
    Clock.now = 10.0
    options = PredictConfig(time_limit=hours(10 + 36 * 0.5 + 1), blend="blend.pt")
    found = classes_of(checkpoints, colours, options)
    np.testing.assert_allclose(found, alone, atol=1e-5)
    assert "36 images lack a member of the blend" in last_outcome().given_up[-1]
    assert Clock.now < HOUR * options.time_limit
    whole = classes_of(checkpoints, colours, options.model_copy(update={"time_limit": 0}))
    assert last_outcome().given_up == []
    assert (abs(whole - alone).max() > 0.1) == (how == "stack")
