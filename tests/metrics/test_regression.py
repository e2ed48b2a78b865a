"""Scores of numbers are scikit-learn's and scipy's; what does not exist is NaN, with a reason."""

import warnings

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from common.config import Config
from common.errors import KitError
from common.metrics.choose import choose_metrics
from common.metrics.regression import METRICS

REFERENCES = {
    "rmse": lambda t, p: np.sqrt(sk.mean_squared_error(t.ravel(), p.ravel())),
    "mcrmse": lambda t, p: np.mean([np.sqrt(sk.mean_squared_error(t[:, c], p[:, c])) for c in C]),
    "rmsle": lambda t, p: np.sqrt(sk.mean_squared_log_error(t, np.maximum(p, 0))),
    "mae": sk.mean_absolute_error,
    "r2": sk.r2_score,
    "pearson": lambda t, p: np.mean([stats.pearsonr(t[:, c], p[:, c])[0] for c in C]),
    "spearman": lambda t, p: np.mean([stats.spearmanr(t[:, c], p[:, c])[0] for c in C]),
}
C = range(3)


def numbers(seed: int, size: int = 40) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    target = random.gamma(2, (1, 10, 1000), (size, 3)).round(1)  # with ties
    return target, (target * 0.5 + random.normal(0, (1, 5, 500), (size, 3))).round(1)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("seed", range(3))
def test_scores_are_those_of_the_references(name, seed):
    target, prediction = numbers(seed)
    found = METRICS[name].function(target, prediction)
    assert found == pytest.approx(REFERENCES[name](target, prediction), rel=1e-9)


@pytest.mark.parametrize("name", METRICS)
def test_perfect_is_best_and_each_averages_to_the_score(name):
    target, prediction = numbers(4)
    metric = METRICS[name]
    best, score = metric.function(target, target), metric.function(target, prediction)
    assert best == pytest.approx(1 if metric.maximise else 0)
    assert score < best if metric.maximise else score > best
    if metric.each:
        assert metric.each(target, prediction).mean() == pytest.approx(score)


@pytest.mark.parametrize("name", METRICS)
def test_one_sample_and_constants_give_a_number_or_a_reason(name):
    one = np.full((1, 1), 3.0), np.full((1, 1), 5.0)
    alike = np.full((6, 1), 3.0), np.arange(6.0)[:, None]
    for target, prediction in (one, alike):
        if name in ("r2", "pearson", "spearman"):
            with pytest.warns(UserWarning, match="all alike"):
                assert np.isnan(METRICS[name].function(target, prediction))
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                assert METRICS[name].function(target, prediction) > 0


@pytest.mark.parametrize("name", METRICS)
def test_nan_is_refused_in_the_truth_and_scores_nan_in_a_prediction(name):
    target, prediction = numbers(5)
    spoilt = prediction.copy()
    spoilt[3, 1] = np.nan
    assert np.isnan(METRICS[name].function(target, spoilt))
    with pytest.raises(KitError, match="finite targets, 1 are not"):
        METRICS[name].function(np.where(np.isnan(spoilt), np.inf, target), prediction)
    with pytest.raises(KitError, match=r"one shape \(N, C\)"):
        METRICS[name].function(target[:, 0], prediction)
    with pytest.warns(UserWarning, match="empty"):
        assert np.isnan(METRICS[name].function(target[:0], prediction[:0]))


def test_a_regression_knows_its_own_metrics_alone():
    config = Config(competition="x", classes=("a",), target="regression", metric="mcrmse")
    assert [metric.name for metric in choose_metrics(config)] == ["mcrmse"]
    with pytest.raises(KitError, match="name of a regression metric, got 'roc_auc'"):
        choose_metrics(config.model_copy(update={"metric": "roc_auc"}))
