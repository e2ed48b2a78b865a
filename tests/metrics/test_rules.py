"""Tuned decisions: found where they were planted, and nested without the optimism of noise."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score, f1_score

from common.config import Config
from common.errors import KitError
from common.keys import BOXES, LABELS, SCORES
from common.metrics.classification import METRICS
from common.metrics.detection import METRICS as BOX_METRICS
from common.metrics.detection import wheat_score
from common.metrics.nested import by_other_folds, tune
from common.metrics.rules import expected_class, rules_for
from common.metrics.segmentation import METRICS as MASK_METRICS
from common.metrics.segmentation import tune_threshold


def config(task: str = "classification", count: int = 2, multilabel: bool = False) -> Config:
    classes = tuple(f"c{n}" for n in range(count))
    return Config(competition="x", metric="m", task=task, classes=classes, multilabel=multilabel)


def rules(metric, settings, target, prediction) -> dict:
    return {rule.name: rule for rule in rules_for(metric, settings, target, prediction)}


def binary(seed: int = 0, count: int = 600, middle: float = 0.3):
    """Calibrated around another middle than 0.5."""
    random = np.random.default_rng(seed)
    target = (random.random(count) < 0.5).astype(int)
    second = (middle + 0.12 * (target - 0.5) + 0.08 * random.normal(size=count)).clip(0, 1)
    return target, np.stack([1 - second, second], 1)


def test_a_planted_threshold_is_found_and_nested_it_pays():
    target, prediction = binary()
    folds = np.arange(len(target)) % 5
    found = rules(METRICS["positive_f1"], config(), target, prediction)
    assert list(found) == ["threshold"]
    tuned = tune(found["threshold"], target, prediction, folds)
    assert tuned.values[0] == pytest.approx(0.28, abs=0.06)
    assert tuned.usual < tuned.nested <= tuned.naive + 1e-9
    scores = [f1_score(target, prediction[:, 1] > t) for t in np.linspace(0.02, 0.98, 49)]
    assert tuned.naive == pytest.approx(max(scores))


def test_each_fold_is_decided_by_the_others_alone():
    """The nested score by hand, fold by fold."""
    target, prediction = binary(seed=1)
    folds = np.random.default_rng(0).integers(0, 3, len(target))
    rule = rules(METRICS["accuracy"], config(), target, prediction)["threshold"]
    decided = np.zeros(len(target), int)
    for fold in range(3):
        threshold = rule.fit(target[folds != fold], prediction[folds != fold])[0]
        decided[folds == fold] = prediction[folds == fold, 1] > threshold
    assert tune(rule, target, prediction, folds).nested == pytest.approx((decided == target).mean())


def labels(seed: int, count: int = 300, middles=(0.2, 0.5, 0.8)):
    random = np.random.default_rng(seed)
    target = (random.random((count, len(middles))) < 0.4).astype(np.float32)
    noise = 0.06 * random.normal(size=target.shape)
    return target, (np.array(middles) + 0.2 * (target - 0.5) + noise).clip(0, 1)


@pytest.mark.parametrize("name", ["macro_f1", "sample_f2", "micro_f1"])
def test_labels_get_a_threshold_each_where_they_differ(name):
    target, prediction = labels(seed=2)
    folds = np.arange(len(target)) % 4
    found = rules(METRICS[name], config(count=3, multilabel=True), target, prediction)
    one, each = (tune(rule, target, prediction, folds) for rule in found.values())
    assert each.rule == "threshold per class"
    np.testing.assert_allclose(each.values, [0.2, 0.5, 0.8], atol=0.12)
    assert each.nested > one.nested + 0.05
    assert each.nested > 0.75  # a sample without labels scores 0 in sample_f2


def test_of_pure_noise_the_naive_score_boasts_and_the_nested_one_does_not():
    """Draws of predictions that know nothing; saying yes to all of half of them scores 2/3."""
    boast, honest = [], []
    for seed in range(8):
        random = np.random.default_rng(seed)
        target = random.integers(0, 2, (60, 6)).astype(np.float32)
        prediction = random.random((60, 6))
        found = rules(METRICS["micro_f1"], config(count=6, multilabel=True), target, prediction)
        rule = found["threshold per class"]
        tuned = tune(rule, target, prediction, np.arange(60) % 5)
        boast.append(tuned.naive)
        honest.append(tuned.nested)
    assert np.mean(boast) > 2 / 3 + 0.01
    assert np.mean(honest) < 2 / 3 + 0.005
    assert np.mean(honest) > 0.6


def ordinal(seed: int, count: int = 500):
    """Five grades; the expected grade is drawn towards the middle, as soft predictions are."""
    random = np.random.default_rng(seed)
    target = random.choice(5, count, p=[0.5, 0.1, 0.25, 0.1, 0.05])
    centre = 1.2 + 0.5 * target + 0.35 * random.normal(size=count)
    probs = np.exp(-((np.arange(5) - centre[:, None]) ** 2))
    return target, probs / probs.sum(1, keepdims=True)


def test_cut_points_beat_rounding_and_the_likeliest_class():
    target, prediction = ordinal(seed=3)
    folds = np.arange(len(target)) % 5
    rule = rules(METRICS["quadratic_kappa"], config(count=5), target, prediction)
    (only,) = rule.values()
    tuned = tune(only, target, prediction, folds)
    rounded = np.clip(np.floor(expected_class(prediction) + 0.5), 0, 4).astype(int)
    assert tuned.usual == pytest.approx(cohen_kappa_score(target, rounded, weights="quadratic"))
    assert (np.diff(tuned.values) > 0).all()
    assert tuned.nested > METRICS["quadratic_kappa"].function(target, prediction) + 0.03
    assert tuned.usual + 0.03 < tuned.nested <= tuned.naive
    cut = np.searchsorted(tuned.values, expected_class(prediction), "right")
    assert tuned.naive == pytest.approx(cohen_kappa_score(target, cut, weights="quadratic"))


def boxes(seed: int, count: int = 40):
    """Sure boxes that are right, unsure ones that are wrong, and tiny sure ones that are wrong."""
    random = np.random.default_rng(seed)
    target, said = [], []
    for _ in range(count):
        corner = random.integers(0, 200, (4, 2)) * 40.0
        true = np.hstack([corner, corner + 30])
        wrong = true + 4000
        tiny = np.hstack([corner + 900, corner + 903])
        scores = [random.uniform(0.25, 1, 4), random.uniform(0, 0.2, 4), random.uniform(0.5, 1, 4)]
        order = np.argsort(-np.concatenate(scores))
        found = {BOXES: np.vstack([true, wrong, tiny]), SCORES: np.concatenate(scores)}
        found[LABELS] = np.zeros(12, int)
        said.append({key: value[order] for key, value in found.items()})
        target.append({BOXES: true, LABELS: np.zeros(4, int)})
    return target, said


@pytest.mark.parametrize("name", ["wheat_score", "cross_tuned_wheat_score"])
def test_boxes_are_cut_by_confidence_and_by_area(name):
    target, said = boxes(seed=4)
    folds = np.arange(len(target)) % 4
    found = rules(BOX_METRICS[name], config("detection", 1), target, said)
    confidence, area = (tune(rule, target, said, folds) for rule in found.values())
    assert 0.19 <= confidence.values[0] <= 0.25
    assert confidence.usual == pytest.approx(wheat_score(target, said, confidence=0.5))
    assert confidence.nested > confidence.usual
    assert area.nested == pytest.approx(1, abs=0.03)  # tiny ones are gone
    assert area.values[1] > 9
    assert area.nested > confidence.nested + 0.3


def test_boxes_without_any_truth_or_prediction_are_tuned_to_something_harmless():
    nothing = [{BOXES: np.zeros((0, 4)), LABELS: np.zeros(0, int), SCORES: np.zeros(0)}] * 4
    found = rules(BOX_METRICS["wheat_score"], config("detection", 1), nothing, nothing)
    for rule in found.values():
        tuned = tune(rule, nothing, nothing, np.arange(4) % 2)
        assert tuned.naive == tuned.nested == 1


def test_masks_are_cut_where_the_pooled_counts_say():
    random = np.random.default_rng(5)
    counts = np.stack([_falling(random) for _ in range(12)])
    target = np.stack([np.zeros(12, int), np.arange(12)], 1)
    found = rules(MASK_METRICS["iou"], config("segmentation", 1), target, counts)
    tuned = tune(found["threshold of the mask"], target, counts, np.arange(12) % 3)
    assert tuned.values[0] == tune_threshold(counts)
    assert tuned.usual == pytest.approx(MASK_METRICS["iou"].function(target, counts))
    assert tuned.nested <= tuned.naive
    assert tuned.usual < tuned.nested
    assert not rules(MASK_METRICS["tuned_iou"], config("segmentation", 1), target, counts)


def _falling(random) -> np.ndarray:
    """Counts of one image at 31 thresholds, best at a low one."""
    steps = np.linspace(0, 1, 31)
    hit = (900 * (1 - steps**0.5) + random.integers(0, 30)).astype(int)
    alarm = (600 * (1 - steps) ** 6).astype(int)
    return np.stack([hit, alarm, 1000 - hit, 4000 - alarm], 1)


@pytest.mark.parametrize("name", ["roc_auc", "log_loss", "average_precision", "map_3"])
def test_what_ranks_or_weighs_leaves_nothing_to_decide(name):
    target, prediction = labels(seed=0)
    assert not rules(METRICS[name], config(count=3, multilabel=True), target, prediction)
    if name != "map_3":  # of two classes the first rank alone counts
        assert not rules(METRICS[name], config(), *binary())
    assert not rules(METRICS["macro_f1"], config(count=5), *ordinal(seed=0))


def test_with_one_fold_there_is_no_nested_score():
    target, prediction = binary()
    rule = rules(METRICS["accuracy"], config(), target, prediction)["threshold"]
    tuned = tune(rule, target, prediction, np.zeros(len(target), int))
    assert np.isnan(tuned.nested)
    assert np.isfinite(tuned.naive)
    with pytest.raises(KitError, match="expected 2 folds or more, got 1"):
        by_other_folds(lambda rows, others: np.zeros(len(rows)), np.zeros(4, int))


def test_rows_come_back_in_their_order():
    folds = np.array([2, 0, 1, 0, 2, 1])
    assert by_other_folds(lambda rows, others: rows * 10, folds).tolist() == [0, 10, 20, 30, 40, 50]
    assert by_other_folds(lambda rows, others: rows.tolist(), folds) == [0, 1, 2, 3, 4, 5]
