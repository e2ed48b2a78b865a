"""Laws of the classification losses: what they agree with, and that they stay finite."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight
from timm.loss import AsymmetricLossMultiLabel

from common.losses.class_weights import balanced_weights
from common.losses.classification import asymmetric, binary_cross_entropy, cross_entropy, focal

ONE = torch.tensor([0, 1, 2, 3, 0, 1])
MANY = torch.tensor([[1.0, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]]).repeat(2, 1)
OF_ONE = torch.tensor([0.5, 1.0, 2.0, 4.0])
OF_MANY = torch.stack([OF_ONE, OF_ONE.flip(0)])
LOSSES = {
    "cross_entropy": (lambda w=None: cross_entropy(weights=w), ONE, OF_ONE),
    "focal": (lambda w=None: focal(weights=w), ONE, OF_ONE),
    "focal_half": (lambda w=None: focal(0.5, weights=w), ONE, OF_ONE),
    "binary": (lambda w=None: binary_cross_entropy(weights=w), MANY, OF_MANY),
    "focal_many": (lambda w=None: focal(multilabel=True, weights=w), MANY, OF_MANY),
    "asymmetric": (lambda w=None: asymmetric(weights=w), MANY, OF_MANY),
    "asymmetric_half": (lambda w=None: asymmetric(0.5, 0.5, weights=w), MANY, OF_MANY),
}
each = pytest.mark.parametrize("name", LOSSES)


@pytest.fixture
def logits():
    return torch.randn(6, 4, generator=torch.Generator().manual_seed(0)) * 3


def test_focal_without_gamma_is_cross_entropy(logits):
    torch.testing.assert_close(focal(0)(logits, ONE), cross_entropy()(logits, ONE))
    torch.testing.assert_close(
        focal(0, multilabel=True)(logits, MANY), binary_cross_entropy()(logits, MANY)
    )
    torch.testing.assert_close(
        focal(0, weights=OF_ONE)(logits, ONE), cross_entropy(weights=OF_ONE)(logits, ONE)
    )


def test_focal_is_its_formula_and_falls_with_gamma(logits):
    probs = logits.double().softmax(1)[torch.arange(6), ONE]
    expected = (-((1 - probs) ** 2) * probs.log()).float()
    torch.testing.assert_close(focal(2)(logits, ONE), expected)
    assert (focal(3)(logits, ONE) < focal(1)(logits, ONE)).all()


def test_asymmetric_agrees_with_timm_and_of_nothing_is_cross_entropy(logits):
    for values in ((4, 1, 0.05), (2, 0, 0.1), (3, 2, 0)):
        ours = asymmetric(*values)(logits, MANY)
        theirs = torch.stack(
            [
                AsymmetricLossMultiLabel(*values)(x[None], y[None])
                for x, y in zip(logits, MANY, strict=True)
            ]
        )
        torch.testing.assert_close(ours, theirs / 4)
    torch.testing.assert_close(
        asymmetric(0, 0, 0)(logits, MANY), binary_cross_entropy()(logits, MANY)
    )


@each
def test_there_is_a_value_per_sample_whatever_else_is_in_the_batch(name, logits):
    make, target, weights = LOSSES[name]
    for loss in (make(), make(weights)):
        whole = loss(logits, target)
        assert whole.shape == (6,)
        alone = torch.cat([loss(logits[i : i + 1], target[i : i + 1]) for i in range(6)])
        torch.testing.assert_close(whole, alone)


@each
def test_better_predictions_cost_less(name):
    make, target, _ = LOSSES[name]
    hot = F.one_hot(target, 4).float() if target.ndim == 1 else target
    costs = torch.stack([make()(sharp * (2 * hot - 1), target) for sharp in (-4.0, 0.0, 2.0, 4.0)])
    assert (costs.diff(dim=0) <= 0).all()
    assert (costs[0] > costs[-1]).all()


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_values_and_slopes_stay_finite_at_the_ends(name, dtype):
    make, target, weights = LOSSES[name]
    for size in (0.0, 20.0, 200.0, 3e4):
        for sign in (-1, 1):
            logits = torch.full((6, 4), size, dtype=dtype)
            logits[:, ::2] *= sign
            logits.requires_grad_()
            value = make(weights)(logits.float(), target)
            value.sum().backward()
            assert value.dtype == torch.float32
            assert value.isfinite().all(), (size, sign)
            assert logits.grad.isfinite().all(), (size, sign)


@pytest.mark.parametrize("make", [focal, lambda: focal(multilabel=True), asymmetric])
def test_a_sure_miss_of_a_present_class_is_still_pulled_up(make):
    logits = torch.tensor([[-60.0, 60.0]], requires_grad=True)
    target = torch.tensor([[1.0, 0.0]])
    make()(logits, target).sum().backward()
    assert logits.grad[0, 0] < -0.1


@each
def test_weights_of_one_change_nothing_and_weights_scale(name, logits):
    make, target, weights = LOSSES[name]
    plain = make()(logits, target)
    torch.testing.assert_close(make(torch.ones_like(weights))(logits, target), plain)
    torch.testing.assert_close(make(3 * torch.ones_like(weights))(logits, target), 3 * plain)


@pytest.mark.parametrize("name", ["cross_entropy", "focal"])
def test_a_sample_weighs_what_its_class_does(name, logits):
    make, target, weights = LOSSES[name]
    expected = make()(logits, target) * weights[target]
    torch.testing.assert_close(make(weights)(logits, target), expected)


def test_shares_of_classes_equal_the_blend_of_losses(logits):
    one, two = F.one_hot(ONE, 4).float(), F.one_hot(ONE.flip(0), 4).float()
    for loss in (focal(), focal(weights=OF_ONE)):
        parts = [loss(logits, target) for target in (one, two)]
        torch.testing.assert_close(
            loss(logits, 0.3 * one + 0.7 * two), 0.3 * parts[0] + 0.7 * parts[1]
        )
        torch.testing.assert_close(loss(logits, one), loss(logits, ONE))


def test_balanced_weights_are_scikit_learns_and_one_in_the_mean():
    labels = torch.tensor([0] * 7 + [1] * 2 + [2])
    weights = balanced_weights(labels, 3)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels.numpy())
    torch.testing.assert_close(weights, torch.tensor(expected, dtype=torch.float32))
    torch.testing.assert_close(weights[labels].mean(), torch.tensor(1.0))
    assert balanced_weights(labels, 4).isfinite().all()


def test_balanced_weights_of_labels_weigh_yes_and_no_alike():
    labels = torch.zeros(10, 2)
    labels[:2, 0], labels[:5, 1] = 1, 1
    no, yes = balanced_weights(labels, 2)
    torch.testing.assert_close(yes * labels.sum(0), torch.tensor([5.0, 5.0]))
    torch.testing.assert_close(no * (1 - labels).sum(0), torch.tensor([5.0, 5.0]))


def test_the_plain_loss_is_torchs_to_the_bit(logits):
    plain = F.cross_entropy(logits, ONE, reduction="none", label_smoothing=0.1)
    assert torch.equal(cross_entropy(0.1)(logits, ONE), plain)
