"""Grades are probabilities in an order; scales go into the network's numbers and back."""

import pytest
import torch
import torch.nn.functional as F

from common.models.targets import Grades, Scale


def test_grades_start_alike_and_their_probabilities_sum_to_one():
    assert Grades(5)(torch.zeros(3, 4)).exp().allclose(torch.full((3, 5), 0.2))
    probs = Grades(5)(torch.randn(50, 4) * 4).exp()
    assert probs.sum(1).allclose(torch.ones(50), atol=1e-5)
    assert (probs >= 0).all()


def test_the_loss_of_a_grade_is_that_of_corns_conditional_tasks():
    logits, grades = torch.randn(40, 3), torch.randint(4, (40,))
    further = logits + torch.tensor([3.0, 2.0, 1.0]).log()
    tasks = torch.zeros(40)
    for k in range(3):  # among those that are at least k: is it more than k?
        reached = (grades >= k).float()
        more = (grades > k).float()
        value = F.binary_cross_entropy_with_logits(further[:, k], more, reduction="none")
        tasks += reached * value
    torch.testing.assert_close(F.cross_entropy(Grades(4)(logits), grades, reduction="none"), tasks)


def test_extreme_logits_leave_value_and_slope_finite_also_under_autocast():
    logits = torch.tensor([[1e4, -1e4, 1e4], [-1e4, 1e4, -1e4]], requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        found = Grades(4)(logits)
    assert found.dtype == torch.float32
    assert not found.isnan().any()
    F.cross_entropy(found, torch.tensor([3, 0])).backward()
    assert logits.grad.isfinite().all()


@pytest.mark.parametrize("bounded", [False, True])
def test_a_scale_undoes_itself_and_takes_what_is_constant_or_unknown(bounded):
    values = torch.tensor([[1e6, 2.0, 7.0], [1.5e6, -3.0, 7.0], [1e6, torch.nan, 7.0]])
    scale = Scale(3, bounded)
    scale.fit(values)
    known = values.nan_to_num(0)
    inside = scale.inside(known)
    back = scale(inside.logit() if bounded else inside)
    kept = ~values.isnan()
    torch.testing.assert_close(back[kept], values[kept], rtol=1e-5, atol=1e-4)
    assert scale.width[2] == 1
    assert inside.isfinite().all()


def test_unless_bounded_numbers_are_standardised_as_scikit_learn_does():
    from sklearn.preprocessing import StandardScaler

    values = torch.randn(30, 2) * torch.tensor([3.0, 500.0]) + 20
    scale = Scale(2)
    scale.fit(values)
    expected = torch.tensor(StandardScaler().fit_transform(values.numpy()))
    torch.testing.assert_close(scale.inside(values), expected.float(), rtol=1e-4, atol=1e-4)
