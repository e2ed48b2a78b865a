"""Pixels are counted alike by scikit-learn, numpy and torch; mistakes are told."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from common.errors import KitError
from common.metrics.pixel_batches import confusion_batch, threshold_counts_batch
from common.metrics.pixels import THRESHOLDS, confusion, counts, threshold_counts
from common.metrics.segmentation import (
    METRICS,
    binary_metrics,
    split_half,
)

from .masks import NONE, draw, gather


def test_counts_agree_with_scikit_learn() -> None:
    probs, target = draw(0)
    for guess, truth, row in zip(probs >= 0.5, target, counts(probs >= 0.5, target), strict=True):
        tn, fp, fn, tp = reference.confusion_matrix(truth.ravel(), guess.ravel()).ravel()
        assert row.tolist() == [tp, fp, fn, tn]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), dtype=st.sampled_from([np.float16, np.float32, np.float64]))
def test_counts_at_all_thresholds_equal_counts_at_each(seed: int, dtype: type) -> None:
    probs, target = draw(seed)
    probs = np.nextafter(probs.astype(dtype), dtype(seed % 2)).clip(0, 1)
    for thresholds in (THRESHOLDS, (1 / 128, 0.5, 127 / 128)):
        got = gather(probs, target, thresholds)
        single = [counts(probs >= dtype(threshold), target) for threshold in thresholds]
        np.testing.assert_array_equal(got, np.stack(single, 1))


def test_zero_and_one_are_below_and_above_every_threshold() -> None:
    target = np.array([[True, False]])
    np.testing.assert_array_equal(threshold_counts(np.ones((1, 2)), target), [[1, 1, 0, 0]] * 31)
    np.testing.assert_array_equal(threshold_counts(np.zeros((1, 2)), target), [[0, 0, 1, 1]] * 31)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), marked=st.booleans(), broken=st.booleans())
def test_counting_tensors_agrees_with_counting_arrays(seed: int, marked: bool, broken: bool):
    probs, target = draw(seed)
    target = target.astype(np.uint8)
    if marked:
        target[np.random.default_rng(seed).random(target.shape) < 0.3] = 255
        target[0] = 255
    if broken:
        probs[1, 0, 0] = np.nan
    got = threshold_counts_batch(torch.from_numpy(probs), torch.from_numpy(target), 255)
    rows = [threshold_counts(*pair, ignore=255) for pair in zip(probs, target, strict=True)]
    np.testing.assert_array_equal(got, rows)


@pytest.mark.parametrize("num_classes", [2, 5, 16, 20])
def test_confusion_of_tensors_agrees_with_arrays(num_classes: int) -> None:
    rng = np.random.default_rng(1)
    target, pred = rng.integers(num_classes, size=(2, 3, 20, 20), dtype=np.uint8)
    target[:, :5] = 255
    got = confusion_batch(torch.from_numpy(pred), torch.from_numpy(target), num_classes, 255)
    np.testing.assert_array_equal(got, confusion(pred, target, num_classes, 255))


MASK = np.zeros((2, 3), np.uint8)
WRONG = [
    (lambda: counts(MASK, MASK), r"expected two masks \(N, H, W\), got \(2, 3\)"),
    (lambda: counts(MASK[None], MASK[None, :1]), r"got \(1, 2, 3\) and \(1, 1, 3\); resize"),
    (lambda: confusion(MASK[None] + 3, MASK[None], 3), r"expected prediction in 0..2, got 0..3"),
    (lambda: confusion(MASK[None], MASK[None] - 1.0, 3), r"expected target in 0..2, got -1.0..0"),
    (lambda: threshold_counts(MASK, MASK[:1]), r"of one shape, got \(2, 3\) and \(1, 3\)"),
    (lambda: threshold_counts(MASK + 2.5, MASK), r"probabilities in 0..1, got 0.0..2.5; apply"),
    (lambda: threshold_counts(MASK + 0.5, MASK + 255), r"target in 0..1, got 0..255.*divide"),
    (lambda: threshold_counts(MASK, MASK, [0.3]), r"multiples of 1/128 .* got \(0.3,\); round"),
    (lambda: threshold_counts(MASK, MASK, [0.0]), "multiples of 1/128 between 0 and 1"),
    (lambda: METRICS["iou"].function(NONE, np.zeros((4, 4))), r"counts \(N, 31, 4\), got \(4, 4\)"),
    (lambda: METRICS["class_iou"].function(NONE, np.zeros((4, 31, 4))), r"\(N, C, C\), got"),
    (lambda: binary_metrics(0.3)["iou"].function(NONE, np.zeros((4, 31, 4))), "got 0.3; choose"),
    (lambda: METRICS["iou"].function(np.zeros(4), np.zeros((4, 31, 4))), r"target \(N, 2\) of"),
    (lambda: split_half(np.zeros(1)), "2 images or more to split, got 1"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_mistakes_are_told(call, message: str) -> None:
    with pytest.raises(KitError, match=message):
        call()
