"""Fusing agrees with what it should leave alone, classes stay apart."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from common.errors import KitError
from common.inference.boxes import (
    fuse,
    non_maximum_suppression,
    relative_to_xyxy,
    xyxy_to_relative,
)
from common.keys import BOXES, LABELS, SCORES

# Multiples of 1/64 pixel up to 1024, which floats add and subtract exactly.
boxes_in_64ths = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    st.tuples(st.integers(0, 6), st.just(4)),
    elements=st.integers(0, 2**16).map(float),
).map(lambda boxes: boxes / 64)


def draw(count: int, seed: int, side: int = 100, classes: int = 2) -> dict:
    """Boxes of 8 pixels on a lattice, none touching another."""
    rng = np.random.default_rng(seed)
    cells = rng.permutation((side // 10) ** 2)[:count]
    start = np.stack([cells % (side // 10), cells // (side // 10)], axis=1) * 10.0 + 1
    return {
        BOXES: np.concatenate([start, start + 8], axis=1),
        SCORES: rng.permutation(count) / (2 * count) + 0.25,
        LABELS: rng.integers(classes, size=count),
    }


def by_score(prediction: dict) -> dict:
    order = np.argsort(-prediction[SCORES], kind="stable")
    return {name: column[order] for name, column in prediction.items()}


@given(boxes_in_64ths)
def test_shares_of_the_picture_and_pixels_are_inverse(boxes: np.ndarray) -> None:
    back = relative_to_xyxy(xyxy_to_relative(boxes, (640, 480)), (640, 480))
    np.testing.assert_allclose(back, boxes, atol=1e-9)


@pytest.mark.parametrize("copies", [1, 2, 5])
def test_fusing_equal_predictions_changes_nothing(copies: int) -> None:
    prediction = draw(30, seed=copies)
    fused, expected = fuse([prediction] * copies, (100, 100)), by_score(prediction)
    np.testing.assert_allclose(fused[BOXES], expected[BOXES], atol=1e-4)
    np.testing.assert_allclose(fused[SCORES], expected[SCORES], atol=1e-6)
    np.testing.assert_array_equal(fused[LABELS], expected[LABELS])


def test_fused_boxes_are_means_weighted_by_score_and_loners_lose_confidence() -> None:
    one = {BOXES: [[10, 10, 30, 30], [60, 60, 80, 80]], SCORES: [0.9, 0.8]}
    other = {BOXES: [[12, 10, 32, 30]], SCORES: [0.3]}
    fused = fuse([one, other], (100, 100))
    np.testing.assert_allclose(fused[BOXES], [[10.5, 10, 30.5, 30], [60, 60, 80, 80]], atol=1e-4)
    np.testing.assert_allclose(fused[SCORES], [0.6, 0.4], atol=1e-6)
    heavy = fuse([one, other], (100, 100), weights=[1, 3])
    np.testing.assert_allclose(heavy[BOXES][0], [11, 10, 31, 30], atol=1e-4)
    alone = fuse([one, other], (100, 100), weights=[0, 1])
    np.testing.assert_allclose(alone[BOXES], other[BOXES], atol=1e-4)
    np.testing.assert_allclose(alone[SCORES], other[SCORES], atol=1e-6)


def test_classes_are_not_fused() -> None:
    boxes = [[10, 10, 30, 30]]
    parts = [{BOXES: boxes, SCORES: [0.5], LABELS: [label]} for label in (0, 4)]
    assert sorted(fuse(parts, (100, 100))[LABELS].tolist()) == [0, 4]


@pytest.mark.filterwarnings("error")
def test_what_cannot_be_fused_is_left_out_without_a_word() -> None:
    none = {BOXES: np.zeros((0, 4)), SCORES: np.zeros(0), LABELS: np.zeros(0, int)}
    fused = fuse([none, none], (100, 100))
    assert (fused[BOXES].shape, fused[SCORES].shape, fused[LABELS].shape) == ((0, 4), (0,), (0,))
    boxes = [[-5, 90, 20, 120], [5, 5, 5, 9], [200, 0, 300, 9], [1, 1, 9, 9], [1, 1, 9, 9]]
    odd = {BOXES: np.array(boxes, float), SCORES: np.array([0.5, 0.9, 0.9, 0, 0.1])}
    fused = fuse([odd], (100, 100), least=0.2)
    np.testing.assert_allclose(fused[BOXES], [[0, 90, 20, 100]], atol=1e-4)
    assert len(fuse([odd], (100, 100))[BOXES]) == 2
    with pytest.raises(KitError, match="expected 1 weights, got 2"):
        fuse([odd], (100, 100), weights=[1, 1])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.2, 0.8))
def test_suppression_keeps_apart_what_it_keeps_and_every_best_box(seed: int, iou: float) -> None:
    rng = np.random.default_rng(seed)
    start = rng.uniform(0, 40, (25, 2))
    boxes = np.concatenate([start, start + rng.uniform(5, 30, (25, 2))], axis=1)
    labels = rng.integers(3, size=25)
    prediction = {BOXES: boxes, SCORES: rng.random(25), LABELS: labels}
    kept = non_maximum_suppression(prediction, iou)
    assert (np.diff(kept[SCORES]) <= 0).all()
    assert set(kept[LABELS]) == set(labels)
    again = non_maximum_suppression(kept, iou)
    np.testing.assert_array_equal(again[BOXES], kept[BOXES])
    expected = [suppress(by_score(prediction), label, iou) for label in range(3)]
    assert {tuple(box) for box in kept[BOXES]} == {tuple(box) for part in expected for box in part}


def suppress(prediction: dict, label: int, iou: float) -> list:
    kept: list = []
    for box in prediction[BOXES][prediction[LABELS] == label]:
        if all(overlap(box, other) <= iou for other in kept):
            kept.append(box)
    return kept


def overlap(one, other) -> float:
    shared = np.prod(np.maximum(0, np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])))
    return shared / (np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - shared)
