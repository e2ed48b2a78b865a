"""Losses of numbers: the same in any unit, torch's slopes, nothing for what is unknown."""

import pytest
import torch
import torch.nn.functional as F

from common.losses.choose import VALUE_LOSSES
from common.losses.regression import auxiliary_classes, auxiliary_number, bounded_cross_entropy
from common.models.targets import Scale

TARGET = torch.tensor([[10.0, 1.0], [20.0, 5.0], [60.0, 3.0], [30.0, 3.0]])
LOGITS = torch.tensor([[0.3, -1.0], [2.0, 0.0], [-0.5, 4.0], [0.1, 0.2]], requires_grad=True)


def scale_of(target: torch.Tensor = TARGET, bounded: bool = False) -> Scale:
    scale = Scale(target.shape[1], bounded)
    scale.fit(target)
    return scale


@pytest.mark.parametrize("name", VALUE_LOSSES)
def test_the_right_number_costs_nothing_in_any_unit_and_a_wrong_one_does(name):
    scale = scale_of(bounded=name == "binary_cross_entropy")
    loss = VALUE_LOSSES[name](scale.inside)
    inside = scale.inside(TARGET)
    right = inside.logit() if scale.bounded else inside
    assert loss(right.clamp(-30, 30), TARGET).abs().max() < 1e-6
    assert (loss(LOGITS, TARGET) > 0).all()
    other = scale_of(TARGET * 1000 + 7, scale.bounded)
    again = VALUE_LOSSES[name](other.inside)(LOGITS, TARGET * 1000 + 7)
    torch.testing.assert_close(again, loss(LOGITS, TARGET), rtol=1e-3, atol=1e-4)


def test_always_predicting_the_mean_costs_one():
    loss = VALUE_LOSSES["mse"](scale_of().inside)
    assert loss(torch.zeros(4, 2), TARGET).mean() == pytest.approx(1)


def test_the_bounded_loss_has_the_slope_of_cross_entropy():
    scale = scale_of(bounded=True)
    ours = torch.autograd.grad(bounded_cross_entropy(scale.inside)(LOGITS, TARGET).sum(), LOGITS)[0]
    plain = F.binary_cross_entropy_with_logits(LOGITS, scale.inside(TARGET), reduction="none")
    expected = torch.autograd.grad(plain.mean(1).sum(), LOGITS)[0]
    torch.testing.assert_close(ours, expected)


def test_unknown_classes_and_numbers_cost_nothing_and_have_no_slope():
    shares = torch.tensor([[0.0, 1.0], [0.0, 0.0], [0.3, 0.7], [1.0, 0.0]])
    losses = auxiliary_classes(LOGITS, shares)
    assert losses[1] == 0
    known = torch.tensor([0, 2, 3])
    expected = F.cross_entropy(LOGITS[known], shares[known], reduction="none")
    torch.testing.assert_close(losses[known], expected)
    target = torch.tensor([[10.0, 1.0], [0.0, 0.0], [0.25 * 60, 0.25], [30.0, 1.0]])
    number = auxiliary_number(scale_of(TARGET[:, :1]).inside)(LOGITS[:, :1], target)
    plain = (LOGITS[:, 0] - scale_of(TARGET[:, :1]).inside(TARGET[:, :1])[:, 0]).square()
    torch.testing.assert_close(number, plain * torch.tensor([1.0, 0.0, 0.25, 1.0]))
    slope = torch.autograd.grad(losses.sum() + number.sum(), LOGITS)[0]
    assert (slope[1] == 0).all()
    assert slope.isfinite().all()
