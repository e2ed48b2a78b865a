import math
import pickle
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from common.metrics.overlap import (
    class_iou,
    dice,
    iou,
    per_group,
    per_image,
    pixel_accuracy,
    pool_images,
    pooled,
)
from common.metrics.pixel_batches import threshold_counts_batch
from common.metrics.pixels import THRESHOLDS, confusion, counts, threshold_counts
from common.metrics.segmentation import (
    METRICS,
    at_threshold,
    binary_metrics,
    split_half,
    tune_threshold,
    tuned_score,
)

from .masks import NONE, draw, each, gather

BINARY = sorted(set(binary_metrics()) - {"tuned_iou"})


@pytest.mark.parametrize("num_classes", [2, 5, 16, 20])
def test_confusion_and_class_iou_agree_with_scikit_learn(num_classes: int) -> None:
    rng = np.random.default_rng(1)
    target, pred = rng.integers(num_classes, size=(2, 3, 20, 20), dtype=np.uint8)
    tables, labels = confusion(pred, target, num_classes), np.arange(num_classes)
    for table, truth, guess in zip(tables, target, pred, strict=True):
        expected = reference.confusion_matrix(truth.ravel(), guess.ravel(), labels=labels)
        np.testing.assert_array_equal(table, expected)
    flat = target.ravel(), pred.ravel()
    ious = reference.jaccard_score(*flat, average=None, labels=labels)
    np.testing.assert_allclose(class_iou(tables), ious)
    none = each(3)
    assert METRICS["class_iou"].function(none, tables) == pytest.approx(ious.mean())
    accuracy = METRICS["class_accuracy"].function(none, tables)
    assert accuracy == pytest.approx(reference.accuracy_score(*flat))


def test_a_class_that_is_nowhere_is_left_out_of_the_mean() -> None:
    tables = confusion(np.array([[[0, 1]]]), np.array([[[0, 0]]]), 4)
    np.testing.assert_array_equal(class_iou(tables), [0.5, 0, np.nan, np.nan])
    assert METRICS["class_iou"].function(each(1), tables) == 0.25


def test_scores_agree_with_scikit_learn() -> None:
    probs, target = draw(2)
    guess, gathered = probs >= 0.5, gather(probs, target)
    flat, pairs = (target.ravel(), guess.ravel()), list(zip(target, guess, strict=True))
    expected = {
        "iou": reference.jaccard_score(*flat),
        "dice": reference.f1_score(*flat),
        "pixel_accuracy": reference.accuracy_score(*flat),
        "iou_per_image": np.mean([reference.jaccard_score(t.ravel(), g.ravel()) for t, g in pairs]),
        "dice_per_image": np.mean([reference.f1_score(t.ravel(), g.ravel()) for t, g in pairs]),
        "iou_per_group": reference.jaccard_score(*flat),
    }
    for name in BINARY:
        assert METRICS[name].function(NONE, gathered) == pytest.approx(expected[name]), name


def test_pooled_is_not_the_mean_of_the_images() -> None:
    """A large building that is found and a small one that is missed."""
    rows = np.array([[90, 10, 0, 0], [0, 0, 1, 99]])
    assert pooled(rows) == 90 / 101
    assert per_image(rows) == (0.9 + 0) / 2
    assert per_group(rows, np.array([7, 3])) == {3: 0, 7: 0.9}
    assert pooled(rows, pixel_accuracy) == 189 / 200


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_pooling_does_not_depend_on_how_images_are_cut(seed: int) -> None:
    probs, target = draw(seed, size=(8, 12))
    tiles = [array.reshape(4, 2, 4, 12).reshape(8, 4, 12) for array in (probs >= 0.5, target)]
    whole = counts(probs >= 0.5, target)
    for ratio in (iou, dice, pixel_accuracy):
        assert pooled(counts(*tiles), ratio) == pooled(whole, ratio)
    shares = iou(whole)
    np.testing.assert_allclose(dice(whole), 2 * shares / (1 + shares))


def test_empty_masks() -> None:
    empty = np.zeros((2, 3, 3), bool)
    rows = counts(empty, empty)
    assert np.isnan(iou(rows)).all()
    assert per_image(rows) == 1
    assert per_image(rows, dice, empty=0) == 0
    assert pooled(rows, pixel_accuracy) == 1
    with pytest.warns(UserWarning, match="iou: no foreground to score; the score is NaN"):
        assert math.isnan(pooled(rows))
    false_alarm = counts(np.eye(3)[None].repeat(2, 0), empty)
    assert per_image(false_alarm) == pooled(false_alarm) == 0


@pytest.mark.parametrize("name", sorted(METRICS))
def test_a_picture_of_which_no_pixel_counts_changes_no_score(name: str) -> None:
    random = np.random.default_rng(0)
    shape = (31, 4) if name in (*BINARY, "tuned_iou") else (3, 3)
    counted = random.integers(1, 50, (8, *shape))
    target = np.stack([np.arange(8) % 2, np.arange(8)], 1)
    more = np.concatenate([counted, np.zeros((1, *shape), np.int64)])
    with_it = np.concatenate([target, [[7, 8]]])  # a group of its own
    if name != "tuned_iou":  # whose halves it changes
        expected = METRICS[name].function(target, counted)
        assert METRICS[name].function(with_it, more) == pytest.approx(expected)
    with pytest.warns(UserWarning, match="no pixel counts|no foreground"):
        assert math.isnan(METRICS[name].function(target, 0 * counted))


@pytest.mark.parametrize("name", sorted(METRICS))
def test_an_empty_fold_warns_and_gives_nan(name: str) -> None:
    with pytest.warns(UserWarning, match="the fold is empty"):
        assert math.isnan(METRICS[name].function(np.zeros((0, 2)), np.zeros((0, 31, 4), np.int64)))


@pytest.mark.parametrize("name", [*BINARY, "tuned_iou"])
def test_one_nan_makes_every_score_nan(name: str) -> None:
    probs, target = draw(3)
    probs[2, 0, 0] = np.nan
    assert math.isnan(METRICS[name].function(NONE, gather(probs, target)))


def test_ignored_pixels_count_nowhere() -> None:
    probs, target = draw(4)
    marked = target.astype(np.uint8)
    marked[:, ::2] = 255
    kept = gather(probs[:, 1::2], target[:, 1::2])
    rows = [threshold_counts(*pair, ignore=255) for pair in zip(probs, marked, strict=True)]
    np.testing.assert_array_equal(rows, kept)
    for there in (0.0, 1.0, np.nan):  # whatever is said of them
        other = torch.from_numpy(np.where(marked == 255, there, probs))
        batch = threshold_counts_batch(other, torch.from_numpy(marked), 255)
        np.testing.assert_array_equal(batch, kept)
    half = counts(probs >= 0.5, marked, ignore=255)
    np.testing.assert_array_equal(half, at_threshold(kept, 0.5))
    assert counts(probs >= 0.5, np.full_like(marked, 255), ignore=255).sum() == 0


def test_the_tuned_threshold_is_the_best_of_all() -> None:
    probs, target = draw(5, n=8)
    gathered = gather(probs, target)
    for score in (pooled, per_image, partial(pooled, ratio=dice)):
        tuned = tune_threshold(gathered, score=score)
        scores = [score(counts(probs >= np.float32(t), target)) for t in THRESHOLDS]
        assert scores[THRESHOLDS.index(tuned)] == max(scores)


def test_of_equal_thresholds_the_one_nearest_a_half_is_chosen() -> None:
    target = np.array([[[True, False]]])
    assert tune_threshold(gather(np.array([[[0.9, 0.1]]]), target)) == 0.5
    assert tune_threshold(gather(np.array([[[0.9, 0.6]]]), target)) == 0.625
    assert tune_threshold(gather(np.array([[[0.2, 0.1]]]), target)) == 0.1875
    assert tune_threshold(gather(np.zeros((1, 1, 2)), np.zeros((1, 1, 2)))) == 0.5


@settings(max_examples=50, deadline=None)
@given(groups=st.lists(st.integers(0, 4), min_size=2, max_size=40), seed=st.integers(0, 99))
def test_halves_share_every_group_evenly(groups: list[int], seed: int) -> None:
    groups = np.array(groups)
    one, other = split_half(groups, seed)
    assert sorted([*one, *other]) == list(range(len(groups)))
    assert abs(len(one) - len(other)) <= 1
    for group in range(5):
        assert abs((groups[one] == group).sum() - (groups[other] == group).sum()) <= 1
    again = split_half(groups, seed)
    assert all(np.array_equal(*pair) for pair in zip((one, other), again, strict=True))


def test_the_tuned_score_comes_from_the_other_half() -> None:
    probs, target = draw(6, n=10)
    groups, gathered = np.arange(10) % 2, gather(probs, target)
    threshold, score = tuned_score(gathered, groups, seed=3)
    one, other = split_half(groups, seed=3)
    assert threshold == tune_threshold(gathered[one])
    assert score == pooled(counts(probs[other] >= np.float32(threshold), target[other]))


def test_a_metric_scores_at_its_own_threshold() -> None:
    probs, target = draw(7)
    metric = binary_metrics(threshold=0.75)["iou"]
    expected = pooled(counts(probs >= 0.75, target))
    assert metric.function(NONE, gather(probs, target)) == expected
    assert pickle.loads(pickle.dumps(metric)).function(NONE, gather(probs, target)) == expected


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_no_score_depends_on_how_images_are_cut_or_ordered(seed: int) -> None:
    probs, target = draw(seed, n=6, size=(8, 12))
    tiles = [array.reshape(6, 2, 4, 12).reshape(12, 4, 12) for array in (probs, target)]
    whole, codes = gather(probs, target), each(6, groups=2)
    order = np.random.default_rng(seed).permutation(12)
    windows, cut_codes = gather(*tiles)[order], codes.repeat(2, 0)[order]
    for name in [*BINARY, "tuned_iou"]:
        one = METRICS[name].function(codes, whole)
        np.testing.assert_equal(METRICS[name].function(cut_codes, windows), one, err_msg=name)


def test_windows_of_an_image_are_added_up_and_keep_its_group() -> None:
    target = np.array([[5, 900], [3, 7], [5, 900], [3, 8]])
    rows = np.array([[1, 2], [3, 4], [10, 20], [-1, -1]])
    groups, pooled_rows = pool_images(target, rows)
    assert groups.tolist() == [3, 3, 5]
    assert pooled_rows.tolist() == [[3, 4], [-1, -1], [11, 22]]
    _, broken = pool_images(np.array([[0, 1], [0, 1]]), np.array([[5, 5], [-1, -1]]))
    assert broken.tolist() == [[-1, -1]]


def test_the_group_mean_weighs_every_group_alike() -> None:
    rows = np.array([[90, 10, 0, 0], [0, 0, 1, 99], [1, 0, 0, 99]])[:, None].repeat(31, 1)
    target = np.array([[7, 0], [3, 1], [3, 2]])
    assert METRICS["iou_per_group"].function(target, rows) == pytest.approx((0.9 + 0.5) / 2)
    assert METRICS["iou"].function(target, rows) == 91 / 102


def test_the_tuned_metric_scores_the_half_that_did_not_choose() -> None:
    probs, target = draw(8, n=10)
    codes, gathered = each(10, groups=2), gather(probs, target)
    expected = tuned_score(gathered, codes[:, 0])[1]
    assert METRICS["tuned_iou"].function(codes, gathered) == expected
    with pytest.warns(UserWarning, match="one image cannot be split"):
        assert math.isnan(METRICS["tuned_iou"].function(each(1), gathered[:1]))
