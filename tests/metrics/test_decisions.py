import numpy as np
import pytest
from sklearn.metrics import f1_score, multilabel_confusion_matrix

from common.metrics.base import Metric
from common.metrics.classification import METRICS
from common.metrics.decisions import GRID, best_threshold, cut, is_decided, label_counts


@pytest.fixture
def binary():
    random = np.random.default_rng(0)
    target = (random.random(400) < 0.3).astype(int)
    second = (0.2 * target + 0.4 * random.random(400)).astype(np.float32)
    return target, np.stack([1 - second, second], 1)


@pytest.fixture
def labels():
    random = np.random.default_rng(1)
    target = (random.random((300, 4)) < 0.4).astype(np.float32)
    return target, (0.3 * target + 0.5 * random.random((300, 4))).astype(np.float32)


def test_four_numbers_per_label_agree_with_scikit_learn(labels):
    target, prediction = labels
    tables = multilabel_confusion_matrix(target, prediction >= 0.5)  # [[tn, fp], [fn, tp]]
    expected = tables.reshape(-1, 4)[:, [3, 2, 1, 0]]
    np.testing.assert_array_equal(label_counts(target, prediction), expected)


def test_the_best_threshold_is_that_of_a_plain_search(binary):
    target, prediction = binary
    scores = [f1_score(target, prediction[:, 1] > t, average="macro") for t in GRID]
    threshold, score = best_threshold(target, prediction, METRICS["macro_f1"])
    assert score == pytest.approx(max(scores))
    assert scores[int(np.abs(GRID - threshold).argmin())] == pytest.approx(max(scores))
    assert threshold < 0.5


def test_the_best_threshold_of_labels_beats_one_half(labels):
    target, prediction = labels
    metric = METRICS["macro_f1"]
    threshold, score = best_threshold(target, prediction, metric)
    assert score > metric.function(target, prediction)
    assert score == metric.function(target, cut(prediction, threshold, multilabel=True))


def test_what_ranks_or_weighs_has_no_threshold(binary):
    for name in ("accuracy", "macro_f1", "balanced_accuracy"):
        assert is_decided(METRICS[name], *binary)
    for name in ("roc_auc", "log_loss", "average_precision"):
        assert not is_decided(METRICS[name], *binary)


def test_what_is_minimised_takes_its_least(binary):
    error = Metric("error", lambda t, p: float((p.argmax(1) != t).mean()), maximise=False)
    accuracy = best_threshold(*binary, METRICS["accuracy"])
    assert best_threshold(*binary, error) == pytest.approx((accuracy[0], 1 - accuracy[1]))


def test_of_equals_the_nearest_to_one_half():
    target, second = np.array([0, 1]), np.array([0.1, 0.95])
    found = best_threshold(target, np.stack([1 - second, second], 1), METRICS["accuracy"])
    assert found == (0.5, 1.0)


def test_no_score_no_threshold(binary):
    never = Metric("never", lambda t, p: float("nan"))
    assert np.isnan(best_threshold(*binary, never)).all()
