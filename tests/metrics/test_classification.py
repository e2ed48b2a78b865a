import math
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from common.errors import KitError
from common.metrics.classification import METRICS, confusion_matrix, top_k_accuracy

MULTI_LABEL = ("accuracy", "macro_f1", "log_loss", "roc_auc", "average_precision")
OPTIONS = {"multi_class": "ovr", "average": "macro"}


def draw(num_classes: int, seed: int, ties: bool = False, n: int = 60):
    """Classes that all occur, and probabilities that know a little about them."""
    rng = np.random.default_rng(seed)
    target = np.append(np.arange(num_classes), rng.integers(num_classes, size=n - num_classes))
    logits = rng.normal(size=(n, num_classes)) + 1.5 * np.eye(num_classes)[target]
    if ties:
        logits = np.round(logits)
    probs = np.exp(logits)
    return target, probs / probs.sum(1, keepdims=True)


def draw_labels(num_classes: int, seed: int, n: int = 40):
    rng = np.random.default_rng(seed)
    target = (rng.random((n, num_classes)) < 0.4).astype(np.int64)
    target[0], target[1] = 0, 1
    return target, np.round(rng.random((n, num_classes)) * 0.7 + 0.3 * target, 2)


def scikit(name: str, target: np.ndarray, probs: np.ndarray) -> float:
    """The same score by scikit-learn."""
    guess, labels = probs.argmax(1), np.arange(probs.shape[1])
    binary = probs.shape[1] == 2
    positive = probs[:, 1] if binary else probs
    return {
        "accuracy": lambda: reference.accuracy_score(target, guess),
        "macro_f1": lambda: reference.f1_score(target, guess, average="macro"),
        "balanced_accuracy": lambda: reference.balanced_accuracy_score(target, guess),
        "log_loss": lambda: reference.log_loss(target, probs, labels=labels),
        "roc_auc": lambda: reference.roc_auc_score(target, positive, **OPTIONS),
        "average_precision": lambda: reference.average_precision_score(target, positive),
        "quadratic_kappa": lambda: reference.cohen_kappa_score(
            target, guess, weights="quadratic", labels=labels
        ),
    }[name]()


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("num_classes", [2, 3, 6])
@pytest.mark.parametrize("name", sorted(set(METRICS) - {"top_3_accuracy", "top_5_accuracy"}))
def test_agrees_with_scikit_learn(name: str, num_classes: int, ties: bool) -> None:
    for seed in range(5):
        target, probs = draw(num_classes, seed, ties)
        expected = scikit(name, target, probs)
        assert METRICS[name].function(target, probs) == pytest.approx(expected, abs=1e-9)


def test_top_k_agrees_with_scikit_learn_where_nothing_is_tied() -> None:
    target, probs = draw(7, seed=0)
    for k in (1, 3, 5):
        expected = reference.top_k_accuracy_score(target, probs, k=k, labels=np.arange(7))
        assert top_k_accuracy(target, probs, k=k) == pytest.approx(expected)
    assert METRICS["top_3_accuracy"].function(target, probs) == top_k_accuracy(target, probs, k=3)


def test_top_k_grows_from_accuracy_to_one_even_when_tied() -> None:
    target, probs = draw(6, seed=1, ties=True)
    scores = [top_k_accuracy(target, probs, k=k) for k in range(1, 7)]
    assert scores[0] == METRICS["accuracy"].function(target, probs)
    assert scores == sorted(scores)
    assert scores[-1] == 1


@pytest.mark.parametrize("name", MULTI_LABEL)
def test_multi_label_agrees_with_scikit_learn(name: str) -> None:
    target, probs = draw_labels(4, seed=3)
    guess = (probs >= 0.5).astype(int)
    columns = [reference.log_loss(target[:, c], probs[:, c]) for c in range(4)]
    expected = {
        "accuracy": reference.accuracy_score(target, guess),
        "macro_f1": reference.f1_score(target, guess, average="macro", zero_division=0),
        "log_loss": np.mean(columns),
        "roc_auc": reference.roc_auc_score(target, probs),
        "average_precision": reference.average_precision_score(target, probs),
    }[name]
    assert METRICS[name].function(target, probs) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_truth_scores_better_than_a_guess_and_a_guess_than_its_opposite(metric) -> None:
    target, guess = draw(8, seed=4)
    sign = 1 if metric.maximise else -1
    opposite = (1 - guess) / 7
    scores = [metric.function(target, p) * sign for p in (np.eye(8)[target], guess, opposite)]
    assert scores[0] > scores[1] > scores[2]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), name=st.sampled_from(sorted(METRICS)))
def test_the_order_of_samples_does_not_matter(seed: int, name: str) -> None:
    target, probs = draw(4, seed, ties=True, n=30)
    order = np.random.default_rng(seed).permutation(30)
    shuffled = METRICS[name].function(target[order], probs[order])
    assert METRICS[name].function(target, probs) == pytest.approx(shuffled, abs=1e-12)


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_one_broken_prediction_gives_nan(metric, value: float) -> None:
    target, probs = draw(6, seed=5)
    probs[7, 2] = value
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
        assert all(np.isfinite(m.function(target, probs)) for m in METRICS.values())


def test_confusion_matrix_agrees_with_scikit_learn_and_counts_every_sample() -> None:
    target, probs = draw(5, seed=8)
    counts = confusion_matrix(target, probs, 6)
    expected = reference.confusion_matrix(target, probs.argmax(1), labels=np.arange(6))
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_array_equal(counts, confusion_matrix(target, probs.argmax(1), 6))
    assert counts.sum() == len(target)


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
