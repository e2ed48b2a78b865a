"""Laws of label issues: what is planted comes first, whatever the order and the broken values."""

import numpy as np
import pandas as pd
import pytest

from common.keys import BOXES, IGNORE, INDEX, LABELS, SCORES
from common.metrics.box_issues import box_testimony
from common.metrics.label_issues import class_testimony, several_testimony
from common.metrics.mask_issues import mask_testimony, wrong_parts
from common.metrics.testimony import (
    DOUBT,
    FREE,
    GIVEN,
    KIND,
    LEAST,
    MISSING,
    NOTHING,
    PLACE,
    REGION,
    SHIFTED,
    SPURIOUS,
    SUGGESTED,
    WRONG_CLASS,
    doubt_rows,
    pool,
)

N = 60


@pytest.fixture
def classes() -> tuple[np.ndarray, np.ndarray]:
    """Right labels of 3 classes and probabilities that know them, more or less."""
    random = np.random.default_rng(0)
    target = np.arange(N) % 3
    logits = random.normal(0, 0.5, (N, 3))
    logits[np.arange(N), target] += 3
    return target, np.exp(logits) / np.exp(logits).sum(1, keepdims=True)


def top(frame: pd.DataFrame) -> pd.Series:
    return pool([frame]).iloc[0]


def test_a_planted_wrong_class_comes_first(classes):
    target, prediction = classes
    wrong = np.where(np.arange(N) == 17, (target + 1) % 3, target)
    first = top(class_testimony(np.arange(N), wrong, prediction))
    assert (first[INDEX], first[KIND]) == (17, WRONG_CLASS)
    assert (first[GIVEN], first[SUGGESTED]) == (wrong[17], target[17])


def test_a_planted_wrong_label_of_several_comes_first(classes):
    target, prediction = classes
    several = np.stack([target == 0, target <= 1], 1).astype(float)
    prediction = np.clip(np.where(several > 0.5, 0.9, 0.1) + 0.05 * prediction[:, :2], 0, 1)
    given = several.copy()
    given[5, 1], given[6, 0] = 1 - given[5, 1], 1 - given[6, 0]
    rows = pool([several_testimony(np.arange(N), given, prediction)]).head(2).sort_values(INDEX)
    assert rows[INDEX].tolist() == [5, 6]
    assert rows[PLACE].tolist() == [1, 0]
    assert rows[KIND].tolist() == [SPURIOUS, MISSING]
    assert (rows[[GIVEN, SUGGESTED]].max(axis=1) == rows[PLACE]).all()


def test_nan_says_nothing_and_breaks_nothing(classes):
    target, prediction = classes
    broken = prediction.copy()
    broken[3], broken[4, 1] = np.nan, np.nan
    rows = class_testimony(np.arange(N), target, broken)
    assert 3 not in rows[INDEX].tolist()
    whole = class_testimony(np.arange(N), target, prediction)
    kept = whole[~whole[INDEX].isin([3, 4])].merge(rows, on=INDEX)
    np.testing.assert_allclose(kept[f"{DOUBT}_x"], kept[f"{DOUBT}_y"], atol=0.02)
    assert class_testimony(np.arange(N), target, np.full((N, 3), np.nan)).empty
    assert pool([class_testimony(np.arange(N), target, np.full((N, 3), np.nan))]).empty


def test_the_order_of_samples_changes_nothing(classes):
    target, prediction = classes
    order = np.random.default_rng(1).permutation(N)
    straight = pool([class_testimony(np.arange(N), target, prediction)])
    shuffled = pool([class_testimony(order, target[order], prediction[order])])
    pd.testing.assert_frame_equal(straight, shuffled)


@pytest.mark.parametrize("count", [1, 2])
def test_a_fold_of_one_class(count):
    prediction = np.full((4, count), 1 / count)
    rows = class_testimony(np.arange(4), np.zeros(4, np.int64), prediction)
    assert rows[SUGGESTED].isin([NOTHING] if count == 1 else [1]).all()


def boxes(*rows: tuple[float, ...], labels=None, scores=None) -> dict[str, np.ndarray]:
    count = len(rows)
    found = {BOXES: np.array(rows, np.float32).reshape(-1, 4)}
    found[LABELS] = np.zeros(count, np.int64) if labels is None else np.array(labels)
    if scores is not None:
        found[SCORES] = np.array(scores, np.float32)
    return found


def fields() -> tuple[list[dict], list[dict]]:
    """Pictures of two boxes each, found a little inexactly."""
    random, truths, found = np.random.default_rng(0), [], []
    for _ in range(20):
        rows = np.array([[10, 10, 40, 40], [60, 50, 100, 90]]) + random.uniform(-3, 3, (2, 4))
        truths.append(boxes(*rows, labels=[0, 1]))
        near = rows + random.uniform(-1.5, 1.5, (2, 4))
        found.append(boxes(*near, labels=[0, 1], scores=random.uniform(0.7, 0.9, 2)))
    return truths, found


def first_box(truths, found) -> pd.Series:
    return top(box_testimony(np.arange(len(truths)) + 7, truths, found))


def test_a_missing_box_comes_first():
    truths, found = fields()
    gone = truths[4][BOXES][0]
    truths[4] = {key: value[1:] for key, value in truths[4].items()}
    first = first_box(truths, found)
    assert (first[INDEX], first[KIND], first[PLACE]) == (11, MISSING, FREE)
    assert (first[GIVEN], first[SUGGESTED]) == (NOTHING, 0)
    np.testing.assert_allclose(first[REGION].to_numpy(float), gone, atol=2)


def test_a_spurious_box_comes_first():
    truths, found = fields()
    rows = [*truths[3][BOXES], (10, 60, 40, 95)]
    truths[3] = boxes(*rows, labels=[0, 1, 1])
    first = first_box(truths, found)
    assert (first[INDEX], first[KIND], first[PLACE], first[GIVEN]) == (10, SPURIOUS, 2, 1)


def test_a_shifted_box_comes_first():
    truths, found = fields()
    truths[9][BOXES][1] += np.array([14, 8, 14, 8])
    first = first_box(truths, found)
    assert (first[INDEX], first[KIND], first[PLACE]) == (16, SHIFTED, 1)


def test_a_box_of_the_wrong_class_comes_first():
    truths, found = fields()
    truths[2][LABELS] = np.array([1, 1])
    first = first_box(truths, found)
    assert (first[INDEX], first[KIND], first[PLACE]) == (9, WRONG_CLASS, 0)
    assert (first[GIVEN], first[SUGGESTED]) == (1, 0)


def test_pictures_without_boxes_and_broken_boxes():
    empty, nothing = boxes(), boxes(scores=[])
    assert box_testimony(np.arange(2), [empty] * 2, [nothing] * 2).empty
    truths, found = fields()
    found[0][BOXES][0], found[1][SCORES][1] = np.nan, np.nan
    rows = box_testimony(np.arange(22), [*truths, empty, empty], [*found, nothing, found[2]])
    assert np.isfinite(rows[DOUBT]).all()
    assert set(rows.loc[rows[INDEX] == 21, KIND]) == {MISSING}


def test_the_order_of_pictures_changes_no_box():
    truths, found = fields()
    truths[2][LABELS] = np.array([1, 1])
    order = np.random.default_rng(2).permutation(20)
    one = pool([box_testimony(np.arange(20), truths, found)])
    other = pool([box_testimony(order, [truths[i] for i in order], [found[i] for i in order])])
    pd.testing.assert_frame_equal(one, other)


def disc(x: int, y: int, radius: int, side: int = 64) -> np.ndarray:
    rows, columns = np.mgrid[:side, :side]
    return ((rows - y) ** 2 + (columns - x) ** 2 < radius**2).astype(np.uint8)


def parts_of(truth: np.ndarray, predicted: np.ndarray):
    return wrong_parts(truth, predicted, np.full(truth.shape, 0.9, np.float32))


def test_an_object_is_missed_and_a_border_is_not():
    truth, bigger = disc(20, 20, 8), disc(20, 20, 9)
    assert parts_of(truth, bigger) == []  # a pixel all around
    found = parts_of(truth, np.maximum(bigger, disc(45, 40, 7)))
    assert [part.kind for part in found] == [0]
    np.testing.assert_allclose(found[0].region, (39, 34, 52, 47), atol=1)
    swapped = parts_of(np.maximum(truth, disc(45, 40, 7)), bigger)
    assert [part.kind for part in swapped] == [1]


def test_parts_of_several_classes_and_unknown_pixels():
    truth = disc(20, 20, 8) * 1 + disc(45, 40, 7) * 2
    predicted = disc(20, 20, 8) * 2 + disc(45, 40, 7) * 2
    (part,) = parts_of(truth, predicted)
    rows = mask_testimony([(0, []), (5, [part])])
    assert rows[INDEX].tolist() == [5]
    assert (rows[KIND][0], rows[GIVEN][0], rows[SUGGESTED][0]) == (WRONG_CLASS, 1, 2)
    hidden = np.where(predicted == 2, IGNORE, truth).astype(np.uint8)
    assert parts_of(hidden, predicted) == []


@pytest.mark.parametrize("seed", range(4))
def test_what_is_said_of_ignored_pixels_makes_no_label_doubtful(seed):
    """Not even by the size of objects that it is measured with, where the mask has none."""
    random = np.random.default_rng(seed)
    truth, said = np.zeros((2, 64, 64), np.uint8)
    said[5:17, 5:17] = 1
    away, surer = disc(40, 40, 18).astype(bool), random.random((64, 64))
    truth[away] = IGNORE
    one = wrong_parts(truth, said, surer)
    other = wrong_parts(truth, np.where(away, random.integers(0, 2), said).astype(np.uint8), surer)
    blank = wrong_parts(truth, np.where(away, 1, said).astype(np.uint8), np.where(away, 1, surer))
    assert one == other == blank
    assert len(one) == 1


def test_the_larger_part_is_more_doubtful():
    small, large = (parts_of(disc(0, 0, 0), disc(30, 30, radius)) for radius in (4, 12))
    rows = mask_testimony([(1, small), (0, large)])
    assert pool([rows])[INDEX].tolist() == [0, 1]


def test_epochs_are_pooled_and_silence_is_no_doubt():
    one = doubt_rows(np.array([1, 2]), WRONG_CLASS, np.array([0.9, 0.6]), 0, 1, place=0)
    two = doubt_rows(np.array([1, 2]), WRONG_CLASS, np.array([0.01, 0.8]), 0, 2, place=0)
    assert two[INDEX].tolist() == [2]  # doubts below LEAST are not kept
    assert LEAST > 0.01
    pooled = pool([one, two])
    assert pooled[INDEX].tolist() == [2, 1]
    np.testing.assert_allclose(pooled[DOUBT], [0.7, 0.45])
    assert pooled[SUGGESTED].tolist() == [2, 1]  # of the surest epoch


def test_missing_things_of_several_epochs_are_one_where_they_overlap():
    def missing(*rows, doubts):
        return doubt_rows(np.zeros(len(rows)), MISSING, np.array(doubts), region=np.array(rows))

    one = missing((0, 0, 10, 10), (50, 50, 60, 60), doubts=(0.9, 0.4))
    two = missing((1, 0, 11, 10), (80, 80, 90, 90), doubts=(0.7, 0.6))
    pooled = pool([one, two])
    np.testing.assert_allclose(pooled[DOUBT], [0.8, 0.3, 0.2])
    assert pooled["left"].tolist() == [0, 80, 50]
    pd.testing.assert_frame_equal(pooled, pool([two, one]))
