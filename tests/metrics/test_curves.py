import numpy as np
import pytest
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from common.errors import KitError
from common.metrics.curves import (
    LEVELS,
    average_precision,
    interpolated_precision,
    pooled_curve,
    ranking_curve,
    roc_auc,
)
from common.metrics.pixels import THRESHOLDS, threshold_counts


def ranked(seed: int, n: int = 500, ties: bool = False) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.random(n) < 0.3
    scores = (0.4 * truth + 0.6 * random.random(n)).astype(np.float32)
    return truth, scores.round(1) if ties else scores


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_areas_agree_with_scikit_learn(seed, ties):
    truth, scores = ranked(seed, ties=ties)
    curve = ranking_curve(truth, scores)
    assert average_precision(curve) == pytest.approx(average_precision_score(truth, scores))
    assert roc_auc(curve) == pytest.approx(roc_auc_score(truth, scores))


def test_every_point_agrees_with_scikit_learn():
    truth, scores = ranked(5, ties=True)
    curve = ranking_curve(truth, scores)
    precision, recall, thresholds = precision_recall_curve(truth, scores)
    np.testing.assert_array_equal(curve.thresholds[::-1], thresholds)
    np.testing.assert_allclose(curve.precision[::-1], precision[:-1])
    np.testing.assert_allclose(curve.recall[::-1], recall[:-1])
    alarms, hits, _ = roc_curve(truth, scores, drop_intermediate=False)
    np.testing.assert_allclose(curve.alarm_rate, alarms[1:])
    np.testing.assert_allclose(curve.recall, hits[1:])


def test_counts_end_with_everybody_found_and_never_fall():
    truth, scores = ranked(7)
    curve = ranking_curve(truth, scores)
    assert (curve.hits[-1], curve.alarms[-1]) == (truth.sum(), (~truth).sum())
    assert (np.diff(curve.hits) >= 0).all()
    assert (np.diff(curve.thresholds) < 0).all()


@pytest.mark.parametrize("value", [True, False])
def test_a_fold_of_one_class_has_no_area(value):
    curve = ranking_curve(np.full(4, value), np.array([0.1, 0.2, 0.3, 0.3]))
    assert np.isnan(roc_auc(curve))
    assert not curve.two_sided
    if not value:
        assert np.isnan(average_precision(curve))


def test_a_nan_score_spoils_the_areas_and_is_no_crash():
    curve = ranking_curve(np.array([True, False, True]), np.array([0.2, np.nan, 0.9]))
    assert np.isnan(average_precision(curve))
    assert np.isnan(roc_auc(curve))
    assert np.isnan(interpolated_precision(curve)).all()


def test_nothing_ranked_finds_nothing():
    curve = ranking_curve(np.zeros(0, bool), np.zeros(0), positives=3)
    assert average_precision(curve) == 0
    assert interpolated_precision(curve).sum() == 0


def test_zero_and_minus_zero_are_one_score_and_less_is_refused():
    curve = ranking_curve(np.array([True, False]), np.array([0.0, -0.0]))
    assert len(curve.thresholds) == 1
    with pytest.raises(KitError, match=r"expected scores of at least 0, got -0\.5"):
        ranking_curve(np.array([True]), np.array([-0.5]))


def test_the_interpolation_is_the_best_precision_from_there_on():
    curve = ranking_curve(*ranked(3))
    expected = [
        max((p for p, r in zip(curve.precision, curve.recall, strict=True) if r >= level - 1e-12))
        for level in LEVELS
    ]
    np.testing.assert_allclose(interpolated_precision(curve), expected)
    assert (np.diff(interpolated_precision(curve)) <= 0).all()


def test_counts_of_pixels_give_the_points_of_their_ranking():
    truth, scores = ranked(11, 4096)
    scores = (scores * 32).round() / 32  # on the thresholds
    counts = threshold_counts(scores.reshape(64, 64), truth.reshape(64, 64))
    pooled, exact = pooled_curve(counts, np.array(THRESHOLDS)), ranking_curve(truth, scores)
    inside = np.isin(pooled.thresholds, exact.thresholds)
    shared = np.isin(exact.thresholds, pooled.thresholds)
    np.testing.assert_array_equal(pooled.hits[inside], exact.hits[shared])
    np.testing.assert_array_equal(pooled.alarms[inside], exact.alarms[shared])
    assert (pooled.positives, pooled.negatives) == (exact.positives, exact.negatives)
    assert roc_auc(pooled) == pytest.approx(roc_auc(exact), abs=0.01)
