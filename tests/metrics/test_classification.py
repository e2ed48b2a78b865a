import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference
from torchmetrics.retrieval import RetrievalMRR

from common.errors import KitError
from common.metrics.classification import METRICS, confusion_matrix, top_k_accuracy

MULTI_LABEL = (
    *("accuracy", "macro_f1", "macro_f2", "macro_f05", "weighted_f1", "micro_f1"),
    *("sample_f1", "sample_f2", "log_loss", "mean_column_log_loss", "roc_auc", "mean_column_auc"),
    *("average_precision", "map_3", "map_5", "map_12"),
)
LABELS_ONLY = ("sample_f1", "sample_f2")
TWO_CLASSES = ("positive_f1", "positive_f2", "positive_f05")
CLASSES = sorted(set(METRICS) - set(LABELS_ONLY) - set(TWO_CLASSES))
TOP = ("top_3_accuracy", "top_5_accuracy", "map_3", "map_5", "map_12")
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
        "macro_f2": lambda: reference.fbeta_score(target, guess, beta=2, average="macro"),
        "macro_f05": lambda: reference.fbeta_score(target, guess, beta=0.5, average="macro"),
        "weighted_f1": lambda: reference.f1_score(target, guess, average="weighted"),
        "micro_f1": lambda: reference.f1_score(target, guess, average="micro"),
        "positive_f1": lambda: reference.f1_score(target, guess, zero_division=0),
        "positive_f2": lambda: reference.fbeta_score(target, guess, beta=2, zero_division=0),
        "positive_f05": lambda: reference.fbeta_score(target, guess, beta=0.5, zero_division=0),
        "matthews": lambda: reference.matthews_corrcoef(target, guess),
        "mean_column_log_loss": lambda: np.mean(
            [reference.log_loss(target == c, probs[:, c]) for c in labels]
        ),
        "mean_column_auc": lambda: reference.roc_auc_score(target, positive, **OPTIONS),
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
@pytest.mark.parametrize("name", sorted(set(CLASSES) - set(TOP)))
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


@pytest.mark.parametrize("name", TWO_CLASSES)
def test_of_two_classes_agrees_with_scikit_learn(name: str) -> None:
    for seed in range(5):
        target, probs = draw(2, seed)
        expected = scikit(name, target, probs)
        assert METRICS[name].function(target, probs) == pytest.approx(expected, abs=1e-9)
    nothing = np.stack([np.ones(len(target)), np.zeros(len(target))], 1)
    assert METRICS[name].function(target, nothing) == 0
    with pytest.raises(KitError, match="expected two classes, got 3"):
        METRICS[name].function(*draw(3, seed=0))


def average_precision_at(truth: list, ranked: list, k: int) -> float:
    """Kaggle's average precision at k, word by word."""
    score, hits = 0.0, 0
    for place, guess in enumerate(ranked[:k]):
        if guess in truth:
            hits += 1
            score += hits / (place + 1)
    return score / min(len(truth), k) if truth else 0.0


@pytest.mark.parametrize("k", [3, 5, 12])
def test_ranked_guesses_agree_with_torchmetrics_and_kaggles_text(k: int) -> None:
    target, probs = draw(9, seed=2)
    mrr = RetrievalMRR(top_k=min(k, 9), empty_target_action="neg")
    place = torch.arange(len(target)).repeat_interleave(9)
    truth = torch.from_numpy(target[:, None] == np.arange(9))
    expected = mrr(torch.from_numpy(probs).reshape(-1), truth.reshape(-1), indexes=place)
    assert METRICS[f"map_{k}"].function(target, probs) == pytest.approx(float(expected), abs=1e-6)
    labels, said = draw_labels(9, seed=2)
    each = [
        average_precision_at(
            np.flatnonzero(row).tolist(), np.argsort(-p, kind="stable").tolist(), k
        )
        for row, p in zip(labels, said, strict=True)
    ]
    assert METRICS[f"map_{k}"].function(labels, said) == pytest.approx(np.mean(each))


@pytest.mark.parametrize("name", MULTI_LABEL)
@pytest.mark.parametrize("seed", [3, 4])
def test_multi_label_agrees_with_scikit_learn(name: str, seed: int) -> None:
    target, probs = draw_labels(4, seed)
    guess = (probs >= 0.5).astype(int)
    columns = [reference.log_loss(target[:, c], probs[:, c]) for c in range(4)]

    def f_score(average: str, beta: float = 1) -> float:
        return reference.fbeta_score(target, guess, beta=beta, average=average, zero_division=0)

    def ranked(k: int) -> float:
        return np.mean(
            [
                average_precision_at(
                    list(np.flatnonzero(t)), list(np.argsort(-p, kind="stable")), k
                )
                for t, p in zip(target, probs, strict=True)
            ]
        )

    expected = {
        "accuracy": lambda: reference.accuracy_score(target, guess),
        "macro_f1": lambda: f_score("macro"),
        "macro_f2": lambda: f_score("macro", 2),
        "macro_f05": lambda: f_score("macro", 0.5),
        "weighted_f1": lambda: f_score("weighted"),
        "micro_f1": lambda: f_score("micro"),
        "sample_f1": lambda: f_score("samples"),
        "sample_f2": lambda: f_score("samples", 2),
        "log_loss": lambda: np.mean(columns),
        "mean_column_log_loss": lambda: np.mean(columns),
        "roc_auc": lambda: reference.roc_auc_score(target, probs),
        "mean_column_auc": lambda: reference.roc_auc_score(target, probs),
        "average_precision": lambda: reference.average_precision_score(target, probs),
        "map_3": lambda: ranked(3),
        "map_5": lambda: ranked(5),
        "map_12": lambda: ranked(12),
    }[name]()
    assert METRICS[name].function(target, probs) == pytest.approx(expected, abs=1e-9)


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


@pytest.mark.parametrize("metric", [METRICS[name] for name in CLASSES], ids=CLASSES)
def test_truth_scores_better_than_a_guess_and_a_guess_than_its_opposite(metric) -> None:
    target, guess = draw(8, seed=4)
    sign = 1 if metric.maximise else -1
    opposite = (1 - guess) / 7
    scores = [metric.function(target, p) * sign for p in (np.eye(8)[target], guess, opposite)]
    assert scores[0] > scores[1] > scores[2]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), name=st.sampled_from(CLASSES))
def test_the_order_of_samples_does_not_matter(seed: int, name: str) -> None:
    target, probs = draw(4, seed, ties=True, n=30)
    order = np.random.default_rng(seed).permutation(30)
    shuffled = METRICS[name].function(target[order], probs[order])
    assert METRICS[name].function(target, probs) == pytest.approx(shuffled, abs=1e-12)


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
