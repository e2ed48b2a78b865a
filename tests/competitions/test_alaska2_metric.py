import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.errors import KitError
from competitions.alaska2_classification.metric import WEIGHTED_AUC, stego_score, weighted_auc

CONSTANT = 0.41 / 0.7  # the area under the diagonal, weighted: (2 * 0.32 + 1 * 0.18) / 1.4


def brute_force(target, score, steps: int = 4000) -> float:
    """Read the ROC curve at many true positive rates, one threshold at a time, and average."""
    positives, negatives = score[target > 0], score[target == 0]
    cuts = [np.inf, *sorted(set(score.tolist()), reverse=True)]
    curve = [((negatives >= cut).mean(), (positives >= cut).mean()) for cut in cuts]
    total = weight = 0.0
    for step in range(steps):
        tpr = (step + 0.5) / steps
        right = next(i for i, point in enumerate(curve) if point[1] >= tpr)
        (f0, t0), (f1, t1) = curve[right - 1], curve[right]
        fpr = f0 + (f1 - f0) * (tpr - t0) / (t1 - t0)
        band = 2.0 if tpr < 0.4 else 1.0
        total, weight = total + band * (1 - fpr), weight + band
    return total / weight


@st.composite
def folds(draw):
    """Targets of both kinds and scores with many or few ties."""
    target = np.array([*draw(st.lists(st.integers(0, 3), min_size=2, max_size=40)), 0, 2])
    levels = draw(st.integers(1, 50))
    whole = st.lists(st.integers(-levels, levels), min_size=len(target), max_size=len(target))
    return target, np.array(draw(whole), dtype=float)


@settings(max_examples=60, deadline=None)
@given(folds())
def test_agrees_with_reading_the_curve_point_by_point(fold) -> None:
    target, score = fold
    # 4000 steps put an edge at 0.4; a piece of the curve ends inside at most one step each
    assert weighted_auc(target, score) == pytest.approx(brute_force(target, score), abs=2e-3)


@settings(max_examples=60, deadline=None)
@given(folds(), st.floats(0.1, 10), st.floats(-5, 5))
def test_only_the_order_of_the_scores_counts(fold, slope: float, offset: float) -> None:
    target, score = fold
    expected = weighted_auc(target, score)
    assert weighted_auc(target, slope * score + offset) == pytest.approx(expected, abs=1e-12)
    assert weighted_auc(target, np.arctan(score / 10)) == pytest.approx(expected, abs=1e-12)
    assert weighted_auc(np.minimum(target, 1), score) == expected


@settings(max_examples=60, deadline=None)
@given(folds(), st.integers(0, 1000))
def test_the_order_of_the_samples_does_not_count(fold, seed: int) -> None:
    target, score = fold
    order = np.random.default_rng(seed).permutation(len(target))
    expected = weighted_auc(target, score)
    assert weighted_auc(target[order], score[order]) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(folds())
def test_a_higher_score_for_a_stego_image_never_hurts(fold) -> None:
    target, score = fold
    better = score + (np.arange(len(score)) == np.flatnonzero(target)[0])
    assert weighted_auc(target, better) >= weighted_auc(target, score) - 1e-12


def test_known_values() -> None:
    target = np.array([0, 0, 0, 0, 1, 2, 3, 1])
    assert weighted_auc(target, target > 0) == 1.0
    assert weighted_auc(target, target == 0) == 0.0
    assert weighted_auc(target, np.full(8, 7.0)) == pytest.approx(CONSTANT, abs=1e-12)
    assert pytest.approx(0.5857142857) == CONSTANT


def test_a_tie_across_the_threshold_is_interpolated() -> None:
    # ROC: (0, 0) -> (0, 0.2) -> (0.5, 0.6) -> (1, 1); at a TPR of 0.4 the FPR is 0.25.
    target = np.array([1, 1, 1, 1, 1, 0, 0])
    score = np.array([3, 2, 2, 1, 1, 2, 1])
    low = 0.2 * 1.0 + 0.2 * (1 - 0.125)
    high = 0.2 * (1 - 0.375) + 0.4 * (1 - 0.75)
    assert weighted_auc(target, score) == pytest.approx((2 * low + high) / 1.4, abs=1e-12)


def test_the_start_of_the_curve_counts_twice() -> None:
    target = np.array([1] * 5 + [0] * 5)
    early = weighted_auc(target, np.array([9, 8, 1, 1, 1, 5, 5, 5, 5, 5]))
    late = weighted_auc(target, np.array([9, 9, 9, 1, 1, 10, 5, 5, 5, 5]))
    assert early == pytest.approx(0.8 / 1.4)
    assert late == pytest.approx((0.8 * 0.8 + 0.2 * 0.8) / 1.4)


@pytest.mark.parametrize("only", [0, 1])
def test_a_fold_with_one_kind_warns_and_gives_nan(only: int) -> None:
    with pytest.warns(UserWarning, match="does not hold both covers and stego"):
        assert math.isnan(weighted_auc(np.full(5, only), np.arange(5.0)))


def test_a_broken_score_gives_nan_and_an_unlimited_one_does_not() -> None:
    target = np.array([0, 1, 0, 2])
    assert math.isnan(weighted_auc(target, np.array([0, np.nan, 1, 2])))
    assert weighted_auc(target, np.array([-np.inf, 1, -2.2, np.inf])) == 1.0


def test_scores_of_another_shape_are_refused() -> None:
    with pytest.raises(KitError, match=r"got \(4,\) and \(4, 2\); score = 1 - p_cover"):
        weighted_auc(np.array([0, 1, 0, 1]), np.zeros((4, 2)))


@pytest.mark.parametrize("num_classes", [2, 4])
def test_the_metric_scores_one_minus_the_probability_of_a_cover(num_classes: int) -> None:
    rng = np.random.default_rng(0)
    target = rng.integers(num_classes, size=50)
    probs = rng.dirichlet(np.ones(num_classes), size=50)
    assert WEIGHTED_AUC.maximise
    expected = weighted_auc(target, 1 - probs[:, 0])
    assert WEIGHTED_AUC.function(target, probs) == expected
    np.testing.assert_allclose(stego_score(probs), probs[:, 1:].sum(1), atol=1e-12)
    probs[3] = np.nan
    assert math.isnan(WEIGHTED_AUC.function(target, probs))
