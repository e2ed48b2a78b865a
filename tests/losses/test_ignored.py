"""Pixels that count nowhere: what is predicted there changes neither loss nor gradient."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from common.config import Config, DataConfig, ModelConfig, TrainConfig
from common.keys import IGNORE, MASK, MASK_LOGITS, MASK_LOGITS_STRIDE_4
from common.learners.segmentation import TERMS, segmentation_loss

NUMBERS = (0.0, 1e4, -1e4, float("nan"), float("inf"))  # that a network may say there


def settings_of(name: str, classes: int) -> Config:
    return Config(
        competition="town",
        task="segmentation",
        classes=tuple(f"c{number}" for number in range(classes)),
        metric="iou",
        data=DataConfig(img_size=8),
        model=ModelConfig(strides=(4,)),
        train=TrainConfig(loss={name: 1.0}, label_smoothing=0.1 if name == "bce" else 0),
    )


def costs(config: Config, logits: torch.Tensor, mask: torch.Tensor, coarse: torch.Tensor) -> tuple:
    """Values of each sample and term, and the gradient of their sum."""
    logits = logits.clone().requires_grad_()
    outputs = {MASK_LOGITS: logits, MASK_LOGITS_STRIDE_4: coarse}
    values = torch.stack(list(segmentation_loss(config).per_sample(outputs, {MASK: mask}).values()))
    values.sum().backward()
    return values.detach(), logits.grad


@pytest.mark.parametrize("classes", [1, 3])
@pytest.mark.parametrize("name", sorted(TERMS))
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.sampled_from([0.1, 0.6, 1.0]), number=st.data())
def test_what_is_said_of_ignored_pixels_changes_nothing(name, classes, seed, share, number):
    random = torch.Generator().manual_seed(seed)
    mask = torch.randint(0, max(classes, 2), (2, 8, 8), generator=random, dtype=torch.uint8)
    away = torch.rand(2, 8, 8, generator=random) < share
    mask[away] = IGNORE
    logits = 3 * torch.randn(2, classes, 8, 8, generator=random)
    coarse = torch.randn(2, classes, 2, 2, generator=random)
    other = torch.where(away[:, None], number.draw(st.sampled_from(NUMBERS)), logits)
    config = settings_of(name, classes)
    one, two = (costs(config, values, mask, coarse) for values in (logits, other))
    for value, again in zip(one, two, strict=True):
        assert value.isfinite().all()
        torch.testing.assert_close(again, value, rtol=0, atol=0)
    assert not one[1][away[:, None].expand_as(logits)].any()
    whole = away.flatten(1).all(1)
    assert not one[0][:, whole].any()
