"""Masks by their parts: agreement with dropping them picture by picture, and what it decides."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from common.errors import KitError
from common.inference.instances import instances
from common.inference.mask_rule import MaskRule
from common.keys import IGNORE
from common.metrics.instances import instance_precision
from common.metrics.nested import tune
from common.metrics.part_rules import BOTH, chosen_values, object_rule, pixel_rules
from common.metrics.parts import (
    AREAS,
    LEVELS,
    drop_small,
    part_counts,
    part_precision,
    part_tables,
    parts_of,
)
from common.metrics.pixels import confusion, counts, threshold_counts
from common.metrics.rules import SINGLE
from common.metrics.segmentation import CLASS_METRICS

SIZE = (24, 32)
SEEDS = st.integers(0, 10_000)


def draw(seed: int, ignored: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities in coherent parts of all sizes, and a truth with pixels that do not count."""
    random = np.random.default_rng(seed)
    probs = ndimage.gaussian_filter(random.random(SIZE), 1.2)
    probs = ((probs - probs.min()) / np.ptp(probs)).astype(np.float32)
    truth = (ndimage.gaussian_filter(random.random(SIZE), 2) > 0.5).astype(np.uint8)
    if ignored:
        truth[ndimage.gaussian_filter(random.random(SIZE), 2) > 0.54] = IGNORE
    return probs, truth


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_counts_are_those_of_masks_without_small_parts(seed):
    probs, truth = draw(seed)
    found = part_counts(probs, truth)
    assert found.shape == (len(LEVELS), len(AREAS), 4)
    np.testing.assert_array_equal(found[:, 0], threshold_counts(probs, truth, LEVELS, IGNORE))
    blank = np.where(truth == IGNORE, 0, probs)
    for row, column in ((0, 3), (4, 2), (6, 5), (12, 1)):
        kept = drop_small(blank >= LEVELS[row], AREAS[column])
        expected = counts(kept[None], truth[None], IGNORE)[0]
        np.testing.assert_array_equal(found[row, column], expected)


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS)
def test_small_parts_of_classes_become_background(seed):
    random = np.random.default_rng(seed)
    scores = np.stack([ndimage.gaussian_filter(random.random(SIZE), 1.5) for _ in range(3)])
    classes, truth = scores.argmax(0), draw(seed)[1]
    tables = part_tables(classes, truth, 3)
    known = np.where(truth == IGNORE, 0, classes)
    for place in (0, 2, 5):
        kept = sum(
            number * drop_small(known == number, AREAS[place]).astype(np.uint8) for number in (1, 2)
        )
        expected = confusion(kept[None], truth[None], 3, IGNORE)[0]
        np.testing.assert_array_equal(tables[place], expected)


@pytest.mark.parametrize("method", ["components", "watershed"])
def test_precision_is_that_of_the_objects_of_each_threshold_and_area(method):
    probs, truth = draw(5, ignored=False)
    objects, known = parts_of(truth == 1)[0], np.ones(SIZE, bool)
    found = part_precision(
        probs, objects, known, lambda mask: instances(mask, method=method, min_distance=2)
    )
    for row, column in ((0, 0), (5, 0), (6, 3), (8, 5), (12, 14)):
        said = MaskRule(LEVELS[row], AREAS[column], method, 2).objects(probs)
        assert found[row, column] == pytest.approx(instance_precision([objects], [said]))


@settings(max_examples=20, deadline=None)
@given(seed=SEEDS, number=st.sampled_from([0.0, 1.0, np.nan]))
def test_what_is_said_of_ignored_pixels_changes_no_count(seed, number):
    probs, truth = draw(seed)
    away = truth == IGNORE
    other, objects = np.where(away, np.float32(number), probs), parts_of(truth == 1)[0]
    np.testing.assert_array_equal(part_counts(other, truth), part_counts(probs, truth))
    classes = (probs * 2.99).astype(int)
    tables = [part_tables(np.where(away, c, classes), truth, 3) for c in (0, 2)]
    np.testing.assert_array_equal(*tables)
    scores = [part_precision(p, objects, ~away, instances, LEVELS[::4]) for p in (probs, other)]
    np.testing.assert_array_equal(*scores)
    assert part_counts(probs, truth)[0, 0].sum() == np.count_nonzero(~away)


def test_a_picture_of_which_nothing_is_known_counts_nothing():
    probs, nothing = draw(1)[0], np.full(SIZE, IGNORE, np.uint8)
    assert not part_counts(probs, nothing).any()
    assert not part_tables(probs > 0.5, nothing, 2).any()
    objects, known = np.ones(SIZE, int), np.zeros(SIZE, bool)
    assert np.isnan(part_precision(probs, objects, known, instances)).all()


def test_extremes():
    empty, full = np.zeros(SIZE, np.float32), np.ones(SIZE, np.float32)
    truth, known = np.zeros(SIZE, np.uint8), np.ones(SIZE, bool)
    assert (part_precision(empty, truth, known, instances) == 1).all()
    assert part_precision(full, truth, known, instances)[0].tolist() == [
        float(area > full.size) for area in AREAS
    ]
    assert (part_precision(full, truth + 1, known, instances)[:, 0] == 1).all()
    spoilt = full.copy()
    spoilt[0, 0] = np.nan
    assert (part_counts(spoilt, truth) == -1).all()
    assert drop_small(full > 0, full.size).all()
    assert not drop_small(full > 0, full.size + 1).any()
    with pytest.raises(KitError, match="least area of 0 pixels or more, got -1"):
        drop_small(full > 0, -1)
    with pytest.raises(KitError, match="min_area of 0 pixels or more, got -3"):
        instances(full, min_area=-3)


def speckled(pictures: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Counts of pictures whose objects are found, as are specks of 3 x 3; and `(M, 2)` targets."""
    random, found = np.random.default_rng(0), []
    for _ in range(pictures):
        truth = np.zeros(SIZE, np.uint8)
        truth[4:14, 4:16] = 1
        probs = np.where(truth == 1, 0.9, 0.1).astype(np.float32)
        for column in random.choice(np.arange(0, 28, 4), 4, replace=False):
            probs[19:22, column : column + 3] = 0.8
        found.append(part_counts(probs, truth))
    rows = np.arange(pictures)
    return np.stack([0 * rows, rows], 1), np.stack(found)


def test_specks_are_left_out_by_what_other_folds_chose():
    target, found = speckled()
    folds = np.arange(12) % 3
    threshold, both = (tune(rule, target, found, folds) for rule in _rules("iou"))
    assert both.rule == BOTH
    assert both.values[1] == 16
    assert both.nested == both.naive == 1
    assert both.usual == pytest.approx(120 / 156)
    assert threshold.nested > both.usual  # above the specks' probability
    assert chosen_values([threshold, both], [0.5, 0]) == [0.8125, 0]  # of equals the simpler
    alone = tune(_rules("iou")[1], target, found, np.zeros(12))
    assert np.isnan(alone.nested)
    assert chosen_values([alone], [0.5, 0]) == [0.5, 16]


def test_a_choice_that_helps_no_other_fold_is_not_taken():
    """Each fold is best at another least area, and all others are bad for it."""
    target = np.stack([np.zeros(6, int), np.arange(6)], 1)
    values = np.zeros((6, 1, len(LEVELS), len(AREAS)))
    values[..., 0] = 0.5
    for fold in range(3):
        values[2 * fold : 2 * fold + 2, ..., 3 + fold] = 1.6
    tuned = tune(object_rule(LEVELS, "components"), target, values, np.arange(6) // 2)
    assert tuned.naive > tuned.usual > tuned.nested
    assert chosen_values([tuned], [0.5, 0.0]) == [0.5, 0.0]


def test_a_distance_is_tuned_where_there_are_several():
    target = np.stack([np.zeros(6, int), np.arange(6)], 1)
    values = np.random.default_rng(0).random((6, 3, len(LEVELS), len(AREAS))) / 10
    values[:, 2, 4, 6] = 0.7
    rule = object_rule(LEVELS, "watershed", (5, 3, 8))
    tuned = tune(rule, target, values, np.arange(6) % 2)
    assert tuned.values.tolist() == [LEVELS[4], AREAS[6], 8]
    assert tuned.nested == pytest.approx(0.7)
    assert tuned.usual == pytest.approx(values[:, 0, LEVELS.index(0.5), 0].mean())
    values[0] = np.nan  # nothing of it counts
    assert tune(rule, target, values, np.arange(6) % 2).nested == pytest.approx(0.7)


def test_several_classes_have_a_least_area_alone():
    random = np.random.default_rng(3)
    truth = np.zeros(SIZE, np.uint8)
    truth[4:20, 4:16], truth[4:20, 20:30] = 1, 2
    tables = []
    for _ in range(6):
        said = truth.copy()
        said[21:23, random.integers(0, 12) : 14] = 2
        said[0:2, random.integers(0, 12) : 14] = 1
        tables.append(part_tables(said, truth, 3))
    target = np.stack([np.zeros(6, int), np.arange(6)], 1)
    (rule,) = pixel_rules(CLASS_METRICS["class_iou"], several=True)
    tuned = tune(rule, target, np.stack(tables), np.arange(6) % 2)
    assert len(tuned.values) == 1
    assert 28 < tuned.values[0] <= 160
    assert tuned.nested == 1 > tuned.usual


def _rules(name: str) -> list:
    return list(pixel_rules(SINGLE[name], several=False))
