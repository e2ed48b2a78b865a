"""Boxes by IoU, by class and across classes."""

import numpy as np

from common.keys import BOXES, LABELS, SCORES
from common.metrics.box_curves import IOUS, rank_boxes
from common.metrics.box_pairs import pair_boxes
from common.metrics.coco import average_precisions

CLASSES = 3


def pictures(seed: int = 0, n: int = 40) -> tuple[list[dict], list[dict]]:
    """True boxes, and found ones: moved, of a wrong class, missing, invented."""
    random, targets, predictions = np.random.default_rng(seed), [], []
    for _ in range(n):
        count = random.integers(0, 6)
        corner, size = random.uniform(0, 200, (count, 2)), random.uniform(20, 60, (count, 2))
        boxes, labels = np.concatenate([corner, corner + size], 1), random.integers(0, 3, count)
        targets.append({BOXES: boxes.astype(np.float32), LABELS: labels})
        kept = random.random(count) < 0.8
        moved = boxes[kept] + random.normal(0, 4, (kept.sum(), 4))
        said = np.where(random.random(kept.sum()) < 0.2, 1, labels[kept])
        extra = random.uniform(0, 200, (2, 2))
        found = np.concatenate([moved, np.concatenate([extra, extra + 30], 1)])
        predictions.append(
            {
                BOXES: found.astype(np.float32),
                LABELS: np.concatenate([said, random.integers(0, 3, 2)]),
                SCORES: random.random(len(found)).astype(np.float32),
            }
        )
    return targets, predictions


def test_the_precision_by_iou_agrees_with_coco():
    targets, predictions = pictures()
    ranking = rank_boxes(targets, predictions, CLASSES)
    areas = [ranking.precision(place).mean() for place in range(len(IOUS))]
    expected = average_precisions(targets, predictions).mean(axis=0)
    np.testing.assert_allclose(areas, expected, atol=1e-3)


def test_a_stricter_iou_never_scores_more_and_truths_are_counted():
    targets, predictions = pictures(1)
    ranking = rank_boxes(targets, predictions, CLASSES)
    areas = [ranking.precision(place).mean() for place in range(len(IOUS))]
    assert (np.diff(areas) <= 0).all()
    assert ranking.truths.sum() == sum(len(target[BOXES]) for target in targets)


def test_rows_sum_to_the_truths_and_columns_to_what_was_found():
    targets, predictions = pictures(2)
    matrix = pair_boxes(targets, predictions, CLASSES, confidence=0.4).matrix(CLASSES)
    truths = np.bincount(np.concatenate([t[LABELS] for t in targets]), minlength=CLASSES)
    kept = [p[LABELS][p[SCORES] >= 0.4] for p in predictions]
    np.testing.assert_array_equal(matrix[:CLASSES].sum(1), truths)
    found = np.bincount(np.concatenate(kept), minlength=CLASSES)
    np.testing.assert_array_equal(matrix[:, :CLASSES].sum(0), found)
    assert matrix[CLASSES, CLASSES] == 0


def test_pairs_are_those_of_a_walk_down_the_ranking():
    targets, predictions = pictures(3)
    pairs = pair_boxes(targets, predictions, CLASSES, confidence=0.0)
    found = {
        (i, t, p)
        for i, t, p in zip(*(c.tolist() for c in pairs[:3]), strict=True)
        if t >= 0 and p >= 0
    }
    assert found == set(walk(targets, predictions))


def walk(targets, predictions):
    for image, (target, prediction) in enumerate(zip(targets, predictions, strict=True)):
        options = []
        for t, one in enumerate(target[BOXES].astype(float)):
            for p, other in enumerate(prediction[BOXES].astype(float)):
                sides = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
                shared = np.prod(sides.clip(0))
                union = np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2]) - shared
                if shared / union > 0.5:
                    across = target[LABELS][t] != prediction[LABELS][p]
                    options.append((across, -shared / union, t, p))
        truths, found = set(), set()
        for _, _, t, p in sorted(options):
            if t not in truths and p not in found:
                truths.add(t)
                found.add(p)
                yield image, t, p


def test_a_wrong_class_over_a_right_one_is_an_invention():
    box = np.array([[0, 0, 10, 10]], np.float32)
    target = [{BOXES: box, LABELS: np.array([0])}]
    both = {BOXES: box + np.array([[0], [0.5]]), SCORES: np.array([0.9, 0.5])}
    pairs = pair_boxes(target, [{**both, LABELS: np.array([1, 0])}], 2, 0.1)
    expected = np.zeros((3, 3), int)
    expected[0, 0], expected[2, 1] = 1, 1
    np.testing.assert_array_equal(pairs.matrix(2), expected)


def test_nothing_true_and_nothing_found_is_nothing():
    none = {BOXES: np.zeros((0, 4)), LABELS: np.zeros(0, int), SCORES: np.zeros(0)}
    assert not pair_boxes([none], [none], 2, 0.5).matrix(2).any()
    ranking = rank_boxes([none], [none], 2)
    assert np.isnan(ranking.precision(0)).all()


def test_a_nan_box_is_left_out():
    targets, predictions = pictures(4, 3)
    broken = {key: np.concatenate([value, value[-1:]]) for key, value in predictions[0].items()}
    broken[BOXES][-1] = np.nan
    before = pair_boxes(targets, predictions, CLASSES, 0.0).matrix(CLASSES)
    predictions[0] = broken
    np.testing.assert_array_equal(
        pair_boxes(targets, predictions, CLASSES, 0.0).matrix(CLASSES), before
    )
    assert len(rank_boxes(targets, predictions, CLASSES).scores) == before[:, :CLASSES].sum()
