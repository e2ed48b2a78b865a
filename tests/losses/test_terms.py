import pytest
import torch
import torch.nn.functional as F

from common.keys import LABEL, LOGITS
from common.losses.classification import binary_cross_entropy, cross_entropy
from common.losses.terms import Loss, LossTerm


@pytest.fixture
def data():
    torch.manual_seed(0)
    return {LOGITS: torch.randn(6, 4)}, {LABEL: torch.tensor([0, 1, 2, 3, 0, 1])}


def test_terms_add_up_and_are_kept_per_sample(data):
    outputs, batch = data
    terms = [
        LossTerm(LOGITS, LABEL, cross_entropy(), 1.0, "plain"),
        LossTerm(LOGITS, LABEL, cross_entropy(0.1), 0.5, "smooth"),
    ]
    loss = Loss(terms)
    value = loss(outputs, batch)
    plain = F.cross_entropy(outputs[LOGITS], batch[LABEL], reduction="none")
    smooth = F.cross_entropy(outputs[LOGITS], batch[LABEL], reduction="none", label_smoothing=0.1)
    torch.testing.assert_close(loss.samples, {"plain": plain, "smooth": smooth})
    torch.testing.assert_close(value, (plain + 0.5 * smooth).mean())
    torch.testing.assert_close(loss.total(loss.samples).mean(), value)


def test_the_loss_is_float32_under_autocast(data):
    outputs, batch = data
    exact = Loss([LossTerm(LOGITS, LABEL, cross_entropy())])
    half = {LOGITS: (outputs[LOGITS] * 1000).bfloat16()}
    with torch.autocast("cpu", torch.bfloat16):
        value = exact(half, batch)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, F.cross_entropy(half[LOGITS].float(), batch[LABEL]))


def test_better_predictions_cost_less_in_every_loss():
    target = torch.tensor([[1.0, 0.0, 1.0]])
    for sharpness in (0.0, 1.0, 3.0):
        worse, better = (sharpness * (2 * target - 1), (sharpness + 1) * (2 * target - 1))
        assert binary_cross_entropy()(better, target) < binary_cross_entropy()(worse, target)
    logits = torch.eye(3)
    hit, miss = (cross_entropy()(logits, torch.tensor(c)) for c in ([0, 1, 2], [1, 2, 0]))
    assert (hit < miss).all()


def test_shares_of_classes_equal_the_blend_of_losses(data):
    outputs, batch = data
    one, two = F.one_hot(batch[LABEL], 4).float(), F.one_hot(batch[LABEL].flip(0), 4).float()
    blended = cross_entropy()(outputs[LOGITS], 0.3 * one + 0.7 * two)
    parts = [cross_entropy()(outputs[LOGITS], target) for target in (one, two)]
    torch.testing.assert_close(blended, 0.3 * parts[0] + 0.7 * parts[1])


def test_auxiliary_terms_are_learnt_and_no_sample_is_ranked_by_them():
    outputs, batch = {"a": torch.tensor([1.0, 2.0])}, {"t": torch.zeros(2)}

    def value(found, target):
        return found - target

    plain = LossTerm("a", "t", value, 2.0, "main")
    loss = Loss([plain, LossTerm("a", "t", value, 0.5, "other", auxiliary=True)])
    assert loss(outputs, batch) == 2.5 * 1.5
    assert loss.main(loss.samples).tolist() == [2.0, 4.0]
    assert Loss([plain]).main(loss.samples).tolist() == Loss([plain]).total(loss.samples).tolist()
