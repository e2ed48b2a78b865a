"""Draws: intervals cover the truth, agree with scipy, and chances are those of the closed form."""

import time

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap
from scipy.stats import norm

from common.metrics.resampling import bootstrap, duel, interval_of, parts_of, repeat, shake_up


def mean_of(values: np.ndarray):
    return lambda drawn: float(values[drawn].mean())


@pytest.fixture
def values() -> np.ndarray:
    return np.random.default_rng(0).exponential(size=300)


def test_the_interval_agrees_with_scipy(values):
    ours = interval_of(bootstrap(mean_of(values), len(values), times=4000))
    theirs = scipy_bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    ).confidence_interval
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_95_of_100_intervals_hold_the_truth():
    random = np.random.default_rng(2)
    held = 0
    for seed in range(200):
        sample = random.normal(3, 1, 60)
        low, high = interval_of(bootstrap(mean_of(sample), 60, times=200, seed=seed))
        held += low <= 3 <= high
    assert 0.88 <= held / 200 <= 0.99


def test_few_draws_give_nearly_the_interval_of_many(values):
    many = interval_of(bootstrap(mean_of(values), 300, times=4000))
    few = interval_of(bootstrap(mean_of(values), 300, times=60))
    assert few == pytest.approx(many, abs=0.04)


@pytest.mark.parametrize("public", [0.1, 0.3, 0.5])
def test_the_shake_up_is_that_of_two_independent_means(values, public):
    shown, rest = parts_of(300, public)
    expected = values.std() * np.sqrt(1 / shown + 1 / rest)
    found = shake_up(mean_of(values), 300, public, times=4000)
    assert found.spread == pytest.approx(expected, rel=0.06)
    assert found.most == pytest.approx(1.96 * expected, rel=0.08)
    assert found.draws == 4000


@pytest.mark.parametrize("gain", [0.0, 0.05, 0.3])
def test_a_duel_swaps_as_often_as_two_normal_curves_say(gain):
    random = np.random.default_rng(3)
    noise = random.normal(size=400)
    noise -= noise.mean()
    differences = gain + noise
    found = duel(mean_of(differences), 400, 0.3, times=4000)
    spread = differences.std()
    ahead = [norm.cdf(gain / (spread / np.sqrt(size))) for size in parts_of(400, 0.3)]
    expected = ahead[0] * (1 - ahead[1]) + ahead[1] * (1 - ahead[0])
    assert found.swaps == pytest.approx(expected, abs=0.03)
    assert found.wins == pytest.approx(norm.cdf(gain / (spread / 20)), abs=0.03)
    assert found.gain == pytest.approx(gain)
    low, high = found.interval
    assert low < gain < high


def test_an_experiment_against_itself_is_even_and_never_swaps(values):
    found = duel(lambda drawn: 0.0, len(values), 0.3, times=50)
    assert (found.gain, found.wins, found.swaps) == (0.0, 0.5, 0.0)
    assert found.interval == (0.0, 0.0)


def test_the_same_seed_draws_the_same_and_no_global_state_is_touched(values):
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, other = (bootstrap(mean_of(values), 300, times=30, seed=5) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_slow_scores_are_drawn_less_often_and_hopeless_ones_hardly(monkeypatch):
    clock = iter(range(10_000))
    monkeypatch.setattr(time, "monotonic", lambda: float(next(clock)))
    for seconds, draws in ((50, 50), (10, 20), (2, 8)):
        assert len(bootstrap(lambda drawn: 1.0, 9, times=1000, seconds=seconds)) == draws


def test_draws_without_a_score_are_left_out():
    found = bootstrap(lambda drawn: np.nan if 0 in drawn else 1.0, 5, times=100)
    assert 0 < len(found) < 100
    assert (found == 1).all()
    nothing = bootstrap(lambda drawn: np.nan, 5, times=10)
    assert np.isnan(interval_of(nothing)).all()
    assert np.isnan(shake_up(lambda drawn: np.nan, 5, 0.3, times=10).spread)
    assert np.isnan(duel(lambda drawn: np.nan, 5, 0.3, times=10).swaps)


def test_one_unit_alone():
    assert parts_of(1, 0.3) == (1, 1)
    assert parts_of(2, 0.01) == (1, 1)
    assert interval_of(bootstrap(lambda drawn: 0.7, 1, times=10)) == (0.7, 0.7)


def test_units_are_drawn_with_replacement_over_their_whole_range():
    seen = repeat(lambda one: (one.min(), one.max(), len(set(one.tolist()))), 6, (6,), times=300)
    assert seen[:, 0].min() == 0
    assert seen[:, 1].max() == 5
    assert seen[:, 2].min() < 6
