import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference
from torchmetrics.retrieval import RetrievalMRR

from common.errors import KitError
from common.metrics.classification import METRICS, confusion_matrix, top_k_accuracy

from .scores import CLASSES, MULTI_LABEL, TOP, TWO_CLASSES, draw, draw_labels, scikit


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


def test_confusion_matrix_agrees_with_scikit_learn_and_counts_every_sample() -> None:
    target, probs = draw(5, seed=8)
    counts = confusion_matrix(target, probs, 6)
    expected = reference.confusion_matrix(target, probs.argmax(1), labels=np.arange(6))
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_array_equal(counts, confusion_matrix(target, probs.argmax(1), 6))
    assert counts.sum() == len(target)
