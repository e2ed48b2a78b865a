"""Scores at the edges: one sample, one class, nothing at all, broken numbers, wrong inputs."""

import math
import warnings

import numpy as np
import pytest
from sklearn import metrics as reference

from common.errors import KitError
from common.metrics.classification import METRICS

from .scores import (
    CLASSES,
    LABELS_ONLY,
    TWO_CLASSES,
    draw,
    draw_labels,
    scikit,
)


@pytest.mark.parametrize("name", sorted(METRICS))
def test_one_sample_perfect_predictions_and_constant_ones(name: str) -> None:
    """A score in its range or, where none exists, NaN with a warning; never an error."""
    metric = METRICS[name]
    labels, single = name in LABELS_ONLY, 2 if name in TWO_CLASSES else 4
    target, guess = draw_labels(4, seed=0) if labels else draw(single, seed=0)
    if labels:  # a sample without labels scores 0, whatever is said of it
        target, guess = target[target.any(1)], guess[target.any(1)]
    perfect = target.astype(float) if labels else np.eye(single)[target]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        constant = metric.function(target, np.full_like(guess, 1 / guess.shape[1]))
        one = metric.function(target[:1], guess[:1])
    best = metric.function(target, perfect)
    assert best == pytest.approx(1.0 if metric.maximise else 0.0, abs=0.05)
    least, most = (-1, 1) if metric.maximise else (0, 40)
    assert math.isnan(one) or least <= one <= most
    assert least <= constant <= most


@pytest.mark.parametrize("name", ["matthews", "weighted_f1", "micro_f1", "macro_f2"])
def test_one_class_alone_scores_as_scikit_learn_says(name: str) -> None:
    target = np.zeros(7, int)
    for guess in (np.zeros(7, int), np.array([0, 1, 2, 0, 1, 2, 0])):
        probs = np.eye(3)[guess] * 0.7 + 0.1
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = scikit(name, target, probs)
        assert METRICS[name].function(target, probs) == pytest.approx(expected)


def test_labels_of_no_sample_have_no_weighted_score() -> None:
    with pytest.warns(UserWarning, match="no sample carries a label"):
        assert math.isnan(METRICS["weighted_f1"].function(np.zeros((3, 2)), np.zeros((3, 2))))


def test_a_score_of_labels_refuses_classes() -> None:
    with pytest.raises(KitError, match="set multilabel=True"):
        METRICS["sample_f2"].function(*draw(3, seed=0))


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_one_broken_prediction_gives_nan(metric, value: float) -> None:
    labels, single = metric.name in LABELS_ONLY, 2 if metric.name in TWO_CLASSES else 6
    target, probs = draw_labels(4, seed=5) if labels else draw(single, seed=5)
    probs[7, 1] = value
    assert math.isnan(metric.function(target, probs))


@pytest.mark.parametrize("num_classes", [2, 4])
@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "quadratic_kappa"])
def test_a_fold_with_one_class_warns_and_gives_nan(name: str, num_classes: int) -> None:
    for only in (0, num_classes - 1):
        target = np.full(9, only)
        probs = np.eye(num_classes)[target] * 0.5 + 0.5 / num_classes
        with pytest.warns(UserWarning, match=f"{name}: .*; the score is NaN"):
            assert math.isnan(METRICS[name].function(target, probs))


@pytest.mark.parametrize("name", sorted(METRICS))
def test_an_empty_fold_warns_and_gives_nan(name: str) -> None:
    with pytest.warns(UserWarning, match="the fold is empty"):
        assert math.isnan(METRICS[name].function(np.zeros(0, int), np.zeros((0, 3))))


def test_a_class_without_samples_is_left_out_of_the_ranking_scores_with_a_warning() -> None:
    target, probs = draw(4, seed=6)
    present = target != 2
    target, probs = target[present], probs[present]
    with pytest.warns(UserWarning, match=r"classes \[2\] lack"):
        score = METRICS["roc_auc"].function(target, probs)
    one_by_one = [reference.roc_auc_score(target == c, probs[:, c]) for c in (0, 1, 3)]
    assert score == pytest.approx(np.mean(one_by_one))


def test_scores_of_a_whole_fold_warn_of_nothing() -> None:
    target, probs = draw(4, seed=7)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert all(np.isfinite(METRICS[name].function(target, probs)) for name in CLASSES)


@pytest.mark.parametrize(
    ("target", "probs", "message"),
    [
        (np.zeros(3, int), np.zeros(3), r"expected probabilities of shape \(N, C\), got \(3,\)"),
        (np.zeros(3, int), np.zeros((4, 2)), r"target \(3,\) does not fit prediction \(4, 2\)"),
        (np.array([0, 1, 2]), np.zeros((3, 2)), r"expected classes 0\.\.1, got 0\.\.2"),
        (np.array([0, -1]), np.zeros((2, 2)), r"expected classes 0\.\.1, got -1\.\.0"),
    ],
)
def test_inputs_that_do_not_fit_say_what_was_expected(target, probs, message: str) -> None:
    with pytest.raises(KitError, match=message):
        METRICS["accuracy"].function(target, probs)


def test_a_metric_of_classes_refuses_multi_label_targets() -> None:
    with pytest.raises(KitError, match=r"quadratic_kappa: expected classes of shape \(N,\)"):
        METRICS["quadratic_kappa"].function(*draw_labels(3, seed=0))
