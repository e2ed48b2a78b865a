import math
from functools import partial

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from common.errors import KitError
from common.losses.segmentation import (
    binary_cross_entropy_mask,
    dice,
    downsampled,
    focal,
    jaccard,
    lovasz,
)
from common.losses.terms import Loss, LossTerm

FACTORIES = {
    "bce": binary_cross_entropy_mask,
    "bce_smooth": partial(binary_cross_entropy_mask, 0.1),
    "focal": focal,
    "focal_alpha": partial(focal, 0.5, 0.25),
    "dice": dice,
    "dice_smooth": partial(dice, 0.1),
    "jaccard": jaccard,
    "lovasz": lovasz,
}
every_loss = pytest.mark.parametrize("make", FACTORIES.values(), ids=FACTORIES)
PERFECT = [name for name in FACTORIES if name != "bce_smooth"]
KINDS = ("binary", "labels", "classes")
IGNORE = 255


def draw(kind: str, n: int = 3, size: int = 6, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits and a target: one foreground, three labels, or three classes that exclude."""
    random = torch.Generator().manual_seed(seed)
    channels = 1 if kind == "binary" else 3
    logits = torch.randn(n, channels, size, size, generator=random, dtype=torch.float64)
    high, shape = (3, logits[:, 0].shape) if kind == "classes" else (2, logits.shape)
    target = torch.randint(high, shape, generator=random)
    return logits, target[:, 0] if kind == "binary" else target


def gradient(loss, logits: Tensor, target: Tensor) -> Tensor:
    logits = logits.clone().requires_grad_()
    loss(logits, target).sum().backward()
    return logits.grad


@every_loss
@pytest.mark.parametrize("kind", KINDS)
def test_the_gradient_is_that_of_finite_differences(make, kind: str) -> None:
    logits, target = draw(kind, n=2, size=3)
    target[0, ..., 0, :2] = IGNORE
    target[1] = 0
    loss = make(ignore=IGNORE)
    assert loss(logits, target).shape == (2,)
    assert torch.autograd.gradcheck(lambda x: loss(x, target), logits.requires_grad_())


@every_loss
@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_costs_the_same_alone_and_in_company(make, kind: str) -> None:
    logits, target = draw(kind)
    together = make()(logits, target)
    alone = [make()(logits[i : i + 1], target[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone))
    order = torch.randperm(36, generator=torch.Generator().manual_seed(0))
    shuffled = [x.flatten(-2)[..., order].unflatten(-1, (6, 6)) for x in (logits, target)]
    torch.testing.assert_close(make()(*shuffled), together)


@every_loss
def test_better_predictions_cost_less(make) -> None:
    for target in (draw("binary")[1], torch.zeros(3, 6, 6, dtype=torch.long)):
        sign = 2.0 * target[:, None] - 1
        costs = torch.stack([make()(sign * sharp, target) for sharp in (-4, -1, 0, 0.5, 1.5)])
        assert (costs.diff(dim=0) < 0).all()
    target = draw("classes")[1]
    hot = F.one_hot(target, 3).movedim(3, 1).double()
    costs = torch.stack([make()(hot * sharp, target) for sharp in (-4, -1, 0, 0.5, 1.5)])
    assert (costs.diff(dim=0) < 0).all()


@pytest.mark.parametrize("name", PERFECT)
@pytest.mark.parametrize("share", [0, 0.3, 1])
def test_a_perfect_prediction_costs_nothing(name: str, share: float) -> None:
    target = (torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(1)) < share).float()
    for scale in (40, 1e4):
        logits = (2 * target - 1) * scale
        torch.testing.assert_close(FACTORIES[name]()(logits, target), torch.zeros(2))
        assert gradient(FACTORIES[name](), logits, target).isfinite().all()


@every_loss
def test_false_positives_on_an_empty_mask_cost_and_pull(make) -> None:
    empty, loss = torch.zeros(1, 32, 32), make()
    clean = torch.full((1, 1, 32, 32), -3.0)
    spoilt = [clean.clone(), clean.clone()]
    spoilt[0][..., :4, :4] = 1.0
    spoilt[1][..., :16, :16] = 2.0
    assert loss(clean, empty) < loss(spoilt[0], empty) < loss(spoilt[1], empty)
    pull = gradient(loss, spoilt[1], empty)[..., :16, :16]
    # the Lovász hinge pulls at the worst pixel, the others at every one
    assert pull.min() >= 0
    assert pull.sum() > 0.005


@pytest.mark.parametrize("make", [dice, jaccard])
def test_an_empty_mask_is_scored_by_its_background(make) -> None:
    logits, _ = draw("binary")
    logits, empty = logits.float(), torch.zeros(3, 6, 6)
    torch.testing.assert_close(make()(logits, empty), make()(-logits, 1 - empty))


@every_loss
@pytest.mark.parametrize("value", [0, 1, IGNORE])
@pytest.mark.parametrize("scale", [0.0, 1.0, 200.0, 1e6])
def test_value_and_gradient_are_finite_on_any_mask(make, value: int, scale: float) -> None:
    logits = draw("labels")[0].float() * scale
    for target in (torch.full((3, 3, 6, 6), value), torch.full((3, 6, 6), value)):
        assert make(ignore=IGNORE)(logits, target).isfinite().all()
        assert gradient(make(ignore=IGNORE), logits, target).isfinite().all()


@every_loss
@pytest.mark.parametrize("kind", KINDS)
def test_ignored_pixels_count_nowhere(make, kind: str) -> None:
    logits, target = draw(kind)
    marked = target.clone()
    marked[..., :2] = IGNORE
    loss, cut = make(ignore=IGNORE), make()(logits[..., 2:], target[..., 2:])
    torch.testing.assert_close(loss(logits, marked), cut)
    assert (gradient(loss, logits, marked)[..., :2] == 0).all()
    nothing = torch.full_like(target, IGNORE)
    assert (loss(logits, nothing) == 0).all()
    assert (gradient(loss, logits, nothing) == 0).all()


def test_hard_predictions_cost_one_minus_the_metric() -> None:
    logits, target = draw("binary", size=9)
    guess, truth = logits[:, 0] > 0, target > 0
    hit, both = (guess & truth).sum((1, 2)), guess.sum((1, 2)) + truth.sum((1, 2))
    sharp = logits.sign() * 1e4
    torch.testing.assert_close(dice()(sharp, target), (1 - 2 * hit / both).double())
    torch.testing.assert_close(jaccard()(sharp, target), (1 - hit / (both - hit)).double())
    shares = F.one_hot((logits[:, 0] > 0).long(), 2).movedim(3, 1) * 1e4
    by_class = (jaccard()(sharp, target) + jaccard()(-sharp, 1 - target)) / 2
    torch.testing.assert_close(lovasz()(shares.double(), target), by_class)


def lovasz_by_definition(errors: np.ndarray, truth: np.ndarray) -> float:
    """Sum the errors, largest first, times what each adds to 1 - IoU of the set so far."""
    value, before, wrong = 0.0, 0.0, set()
    for pixel in np.argsort(-errors, kind="stable"):
        wrong.add(int(pixel))
        miss = sum(truth[i] for i in wrong)
        alarm = len(wrong) - miss
        lost = (miss + alarm) / (truth.sum() + alarm)
        value, before = value + errors[pixel] * (lost - before), lost
    return value


def test_lovasz_agrees_with_its_definition() -> None:
    logits, target = draw("binary", size=5)
    got = lovasz()(logits, target).tolist()
    for value, row, mask in zip(got, logits.flatten(1).numpy(), target.flatten(1), strict=True):
        errors = np.maximum(0, 1 - row * (2 * mask.numpy() - 1))
        assert value == pytest.approx(lovasz_by_definition(errors, mask.numpy()))


def test_cross_entropies_agree_with_torch() -> None:
    logits, target = draw("classes")
    for smoothing in (0.0, 0.1):
        ours = binary_cross_entropy_mask(smoothing)(logits, target)
        theirs = F.cross_entropy(logits, target, reduction="none", label_smoothing=smoothing)
        torch.testing.assert_close(ours, theirs.mean((1, 2)))
    logits, target = draw("labels")
    theirs = F.binary_cross_entropy_with_logits(logits, target.double(), reduction="none")
    torch.testing.assert_close(binary_cross_entropy_mask()(logits, target), theirs.mean((1, 2, 3)))


@pytest.mark.parametrize("kind", KINDS)
def test_focal_without_focus_is_cross_entropy_and_forgives_more_with_more(kind: str) -> None:
    logits, target = draw(kind)
    values = [focal(gamma)(logits, target) for gamma in (0, 0.5, 2, 5)]
    torch.testing.assert_close(values[0], binary_cross_entropy_mask()(logits, target))
    assert (torch.stack(values).diff(dim=0) < 0).all()


def test_focal_agrees_with_torchvision() -> None:
    from torchvision.ops import sigmoid_focal_loss

    logits, target = draw("labels")
    for gamma, alpha in ((2.0, 0.25), (1.5, 0.8)):
        theirs = sigmoid_focal_loss(logits, target.double(), alpha, gamma).mean((1, 2, 3))
        torch.testing.assert_close(focal(gamma, alpha)(logits, target), theirs)


def test_dice_and_jaccard_agree_with_segmentation_models() -> None:
    losses = pytest.importorskip("segmentation_models_pytorch.losses")
    logits, target = draw("labels", n=1)
    # its smooth Dice adds twice as much as the usual one, so only the plain one is the same
    for ours, theirs in (
        (dice(), losses.DiceLoss("multilabel")),
        (jaccard(), losses.JaccardLoss("multilabel")),
        (jaccard(smooth=2 / 36), losses.JaccardLoss("multilabel", smooth=2)),
    ):
        expected = theirs(logits, target.double()).reshape(1)
        torch.testing.assert_close(ours(logits, target), expected)


@every_loss
def test_one_channel_takes_a_mask_with_and_without_its_axis(make) -> None:
    logits, target = draw("binary")
    expected = make()(logits, target)
    for same in (target[:, None], target.bool(), target.byte()[:, None], target.float()):
        torch.testing.assert_close(make()(logits, same), expected)


@every_loss
def test_half_precision_is_computed_in_float32(make) -> None:
    logits, target = torch.randn(2, 1, 300, 300).half(), torch.ones(2, 300, 300)
    value = make()(logits, target)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, make()(logits.float(), target))


@every_loss
def test_a_term_of_the_learner_takes_it(make) -> None:
    logits, target = draw("binary")
    loss = Loss([LossTerm("out", "mask", downsampled(make()), 2.0)])
    value = loss({"out": logits}, {"mask": target})
    torch.testing.assert_close(value, 2 * make()(logits.float(), target).mean())
    assert list(loss.samples) == [make().__name__]


@every_loss
@pytest.mark.parametrize("kind", KINDS)
def test_downsampled_equals_the_loss_on_a_mask_of_whole_cells(make, kind: str) -> None:
    logits, target = draw(kind)
    target[0, ..., 0, 0] = IGNORE
    large = target.repeat_interleave(4, -1).repeat_interleave(4, -2)
    loss = make(ignore=IGNORE)
    torch.testing.assert_close(downsampled(loss, IGNORE)(logits, large), loss(logits, target))


def test_downsampled_keeps_the_area_of_what_is_smaller_than_a_cell() -> None:
    target = torch.zeros(1, 8, 8)
    target[0, 0, 1] = 1
    target[0, 4:, :4] = IGNORE
    target[0, 5, 2] = 1
    seen = []

    def spy(_: Tensor, shrunk: Tensor) -> Tensor:
        seen.append(shrunk)
        return shrunk.sum((1, 2, 3))

    downsampled(spy, IGNORE)(torch.zeros(1, 1, 2, 2), target)
    torch.testing.assert_close(seen[0], torch.tensor([[[[1 / 16, 0], [1, 0]]]]))
    target[0, 5, 2] = IGNORE
    downsampled(spy, IGNORE)(torch.zeros(1, 1, 2, 2), target)
    assert seen[1][0, 0, 1, 0] == IGNORE


def test_a_share_is_best_met_by_that_probability() -> None:
    target = torch.zeros(1, 8, 8)
    target[:, :2, :8] = 1
    loss = downsampled(binary_cross_entropy_mask())
    costs = [
        loss(torch.full((1, 1, 1, 1), math.log(p / (1 - p))), target) for p in (0.1, 0.25, 0.4)
    ]
    assert min(costs) == costs[1]


WRONG = [
    ((2, 1, 4, 4), torch.zeros(2, 8, 8), "got .2, 1, 4, 4. and .2, 1, 8, 8. .*downsampled"),
    ((2, 3, 4, 4), torch.zeros(2, 4, 4), "of integers for C > 1"),
    ((2, 3, 4, 4), torch.zeros(2, 2, 4, 4), "got .2, 3, 4, 4. and .2, 2, 4, 4."),
    ((2, 4, 4), torch.zeros(2, 4, 4), "expected logits .N, C, H, W. and a target"),
]


@pytest.mark.parametrize(("shape", "target", "message"), WRONG, ids=range(len(WRONG)))
def test_shapes_that_do_not_fit_are_told(shape, target, message: str) -> None:
    with pytest.raises(KitError, match=message):
        dice()(torch.zeros(shape), target)
