"""Values and gradients at the extremes, in each precision, against float64."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F

from common.losses.classification import binary_cross_entropy, cross_entropy
from common.losses.safe import floor_of, safe_divide, safe_log, safe_mean, safe_sqrt
from common.losses.segmentation import binary_cross_entropy_mask, dice, focal, jaccard, lovasz

DTYPES = (torch.float32, torch.bfloat16, torch.float16)
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 1e-2, torch.float16: 2e-3}
dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=str)


def extremes(dtype: torch.dtype) -> torch.Tensor:
    info, eps = torch.finfo(dtype), floor_of(dtype)
    small = [0.0, -0.0, info.smallest_normal, eps / 4, eps, eps * 4, 0.5, 1 - info.eps, 1.0, 2.0]
    return torch.tensor([*small, 6e4, -eps, -0.25], dtype=dtype)


def value_and_gradient(function, *operands):
    operands = [x.detach().clone().requires_grad_() for x in operands]
    value = function(*operands)
    value.sum().backward()
    return value, [x.grad for x in operands]


def assert_as_in_float64(function, *operands) -> None:
    """Value and gradient are finite, and those of the same function of the same numbers."""
    dtype = operands[0].dtype
    value, gradients = value_and_gradient(function, *operands)
    exact, exact_gradients = value_and_gradient(function, *(x.double() for x in operands))
    assert value.dtype == torch.float32
    assert all(torch.isfinite(x).all() for x in (value, *gradients))
    torch.testing.assert_close(value.double(), exact, rtol=1e-5, atol=1e-5)
    for ours, theirs in zip(gradients, exact_gradients, strict=True):
        torch.testing.assert_close(ours.double(), theirs, rtol=TOLERANCE[dtype], atol=1e-6)


@dtypes
def test_log(dtype):
    x, eps = extremes(dtype), floor_of(dtype)
    assert_as_in_float64(partial(safe_log, eps=eps), x)
    usual = x[x >= eps]
    assert torch.equal(safe_log(usual), usual.float().log())
    value, (slope,) = value_and_gradient(safe_log, torch.zeros(1, dtype=dtype))
    assert slope.item() == pytest.approx(1 / eps)  # nothing is lost: 0 is still pulled up
    assert value.item() < torch.tensor(eps).log().item()


@dtypes
def test_sqrt(dtype):
    x, eps = extremes(dtype), floor_of(dtype)
    assert_as_in_float64(partial(safe_sqrt, eps=eps), x)
    usual = x[x >= eps]
    assert torch.equal(safe_sqrt(usual), usual.float().sqrt())
    value, (slope,) = value_and_gradient(safe_sqrt, torch.tensor([0.0, -1.0], dtype=dtype))
    assert value.tolist() == [0, 0]
    assert slope.tolist() == pytest.approx([eps**-0.5, 0], rel=1e-2)


@dtypes
def test_divide(dtype):
    b = extremes(dtype)
    a = torch.linspace(-1, 1, len(b)).to(dtype)
    if dtype is not torch.float32:  # a slope of 1 / eps^2 is beyond fp16 itself
        a, b = a[(b.abs() > 1e-2) | (b == 0)], b[(b.abs() > 1e-2) | (b == 0)]
    assert_as_in_float64(partial(safe_divide, eps=floor_of(dtype)), a, b)
    value, (slope_a, slope_b) = value_and_gradient(
        safe_divide, torch.zeros(1, dtype=dtype), torch.zeros(1, dtype=dtype)
    )
    assert value.item() == slope_a.item() == slope_b.item() == 0
    assert safe_divide(torch.tensor(1.0), torch.tensor(-1e-30)).item() == -1 / floor_of(
        torch.float32
    )
    assert safe_divide(torch.tensor([3]), torch.tensor([2])).item() == 1.5


@dtypes
def test_mean_of_much_and_of_nothing(dtype):
    many = torch.full((300, 300), 3.0, dtype=dtype)  # its sum is beyond fp16
    assert_as_in_float64(safe_mean, many)
    assert safe_mean(many).item() == 3
    value, (slope,) = value_and_gradient(safe_mean, torch.zeros(0, 4, dtype=dtype))
    assert (value.item(), slope.shape) == (0, (0, 4))
    values = torch.tensor([[1.0, float("nan")], [float("inf"), 5.0]], dtype=dtype)
    valid = torch.tensor([[True, False], [False, False]])
    value, (slope,) = value_and_gradient(lambda v: safe_mean(v, valid, 1), values)
    assert value.tolist() == [1, 0]
    assert slope.tolist() == [[1, 0], [0, 0]]


def test_means_over_some_dimensions_are_the_usual_ones():
    values = torch.randn(3, 4, 5)
    torch.testing.assert_close(safe_mean(values, dim=(1, 2)), values.mean((1, 2)))
    valid = torch.rand(3, 1, 5) > 0.3
    expected = torch.stack([v[:, m[0]].mean() for v, m in zip(values, valid, strict=True)])
    torch.testing.assert_close(safe_mean(values, valid, (1, 2)), expected)


def test_gradients_are_those_of_finite_differences():
    x = torch.tensor([1e-3, 0.3, 2.0, 7.0], dtype=torch.float64, requires_grad=True)
    for function in (safe_log, safe_sqrt, safe_mean, lambda x: safe_divide(x, x + 1)):
        assert torch.autograd.gradcheck(function, x)


def test_a_probability_that_is_clamped_has_no_slope_and_logits_have():
    """What the popular advice does, and why the kit's losses start from logits."""
    x = torch.tensor([-20.0, 20.0], requires_grad=True)
    x.sigmoid().clamp(1e-6, 1 - 1e-6).log().sum().backward()
    assert x.grad.tolist() == [0, 0]
    half = torch.tensor([20.0], dtype=torch.float16, requires_grad=True)
    loss = -(1 - half.sigmoid().clamp(1e-6, 1 - 1e-6)).log()
    loss.sum().backward()
    assert loss.isinf().all()
    assert not half.grad.item() > 0
    logits = torch.tensor([20.0], requires_grad=True)
    loss = F.binary_cross_entropy_with_logits(logits, torch.zeros(1))
    loss.backward()
    assert (loss.item(), logits.grad.item()) == (20.0, 1.0)


MASKS = {
    "bce": binary_cross_entropy_mask(ignore=255),
    "focal": focal(ignore=255),
    "focal_steep": focal(gamma=0.5, ignore=255),
    "dice": dice(ignore=255),
    "jaccard": jaccard(ignore=255),
    "lovasz": lovasz(ignore=255),
}


@dtypes
@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("name", MASKS)
def test_losses_of_masks_are_finite_at_every_logit(name, several, dtype):
    size = 6e4 if dtype == torch.float16 else 1e6
    values = torch.tensor([0.0, 1e-4, -1e-4, 20.0, -20.0, 100.0, -100.0, size, -size])
    logits = values.repeat(4, 2 if several else 1, 9, 1).to(dtype)
    if several:
        logits[:, 1] = logits[:, 1].flip(2)
    mask = torch.zeros(4, 9, 9, dtype=torch.uint8)
    mask[1], mask[2, 4:], mask[3] = 1, 1, 255  # nothing, all, half, unknown
    value, (slope,) = value_and_gradient(lambda x: MASKS[name](x, mask), logits)
    exact, (exact_slope,) = value_and_gradient(lambda x: MASKS[name](x, mask), logits.double())
    assert torch.isfinite(value).all()
    assert torch.isfinite(slope).all()
    assert value[3] == 0
    assert (slope[3] == 0).all()
    torch.testing.assert_close(value.double(), exact, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(slope.double(), exact_slope, rtol=2e-2, atol=1e-4)


@dtypes
def test_losses_of_classes_are_finite_at_every_logit(dtype):
    size = 6e4 if dtype == torch.float16 else 1e30
    logits = torch.tensor([[0.0, 0, 0], [size, -size, 0], [-size, size, size]], dtype=dtype)
    for loss, target in (
        (cross_entropy(), torch.tensor([0, 1, 0])),
        (cross_entropy(0.1), torch.tensor([0, 1, 0])),
        (binary_cross_entropy(0.1), torch.eye(3)),
    ):
        value, (slope,) = value_and_gradient(lambda x, f=loss, t=target: f(x.float(), t), logits)
        assert torch.isfinite(value).all()
        assert torch.isfinite(slope).all()
