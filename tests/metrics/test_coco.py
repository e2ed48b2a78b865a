"""COCO's mean average precision agrees with pycocotools, to the last tie."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.keys import BOXES, LABELS, SCORES
from common.metrics.coco import MOST, average_precisions, coco_map, coco_map_50

NO_BOXES = np.zeros((0, 4))
# Few corners, scores and classes, so that ties, duplicates, flat boxes and IoU of 0.5 are common.
corner, label = st.integers(0, 5), st.integers(0, 1)
box = st.tuples(corner, corner, corner, corner).map(
    lambda b: (min(b[0], b[2]), min(b[1], b[3]), max(b[0], b[2]), max(b[1], b[3]))
)
found = st.tuples(box, label, st.sampled_from([0.1, 0.5, 0.9]))
image = st.tuples(st.lists(st.tuples(box, label), max_size=5), st.lists(found, max_size=8))


def as_arrays(images) -> tuple[list[dict], list[dict]]:
    """Truths and predictions of drawn images."""
    stacked = [[list(zip(*boxes, strict=True)) for boxes in one] for one in images]
    columns = [[boxes or ((), (), ()) for boxes in one] for one in stacked]
    items = [
        [{BOXES: np.array(c[0], float).reshape(-1, 4), LABELS: np.array(c[1], int)} for c in one]
        for one in columns
    ]
    scores = [{SCORES: np.array(one[1][2], float)} for one in columns]
    return (
        [one[0] for one in items],
        [one[1] | more for one, more in zip(items, scores, strict=True)],
    )


def crowds(num_images: int, count: int, seed: int) -> tuple[list[dict], list[dict]]:
    """Truths of 3 classes, and predictions that know them a little; scores have two digits."""
    random, targets, predictions = np.random.default_rng(seed), [], []
    for _ in range(num_images):
        start = random.uniform(0, 400, (count, 2))
        boxes = np.concatenate([start, start + random.uniform(20, 60, (count, 2))], axis=1)
        labels = random.integers(3, size=count)
        said = np.where(random.random(count) < 0.2, 0, labels)
        guess = {BOXES: boxes + random.normal(0, 4, boxes.shape), LABELS: said}
        targets.append({BOXES: boxes, LABELS: labels})
        predictions.append(guess | {SCORES: random.random(count).round(2)})
    return targets, predictions


def pycocotools_stats(targets, predictions, num_classes: int) -> np.ndarray:
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    def rows(items) -> list[dict]:
        found = []
        for image, item in enumerate(items):
            for place, (x1, y1, x2, y2) in enumerate(item[BOXES].tolist()):
                row = {"image_id": image, "category_id": int(item[LABELS][place]), "iscrowd": 0}
                row |= {"id": len(found) + 1, "bbox": [x1, y1, x2 - x1, y2 - y1]}
                row |= {"area": (x2 - x1) * (y2 - y1)}
                found.append(row | ({"score": item[SCORES][place]} if SCORES in item else {}))
        return found

    truth = COCO()
    truth.dataset = {
        "images": [{"id": image} for image in range(len(targets))],
        "categories": [{"id": label} for label in range(num_classes)],
        "annotations": rows(targets),
    }
    truth.createIndex()
    evaluation = COCOeval(truth, truth.loadRes(rows(predictions)), "bbox")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()  # mAP, and at IoU 0.50 and 0.75
    return evaluation.stats[:3]


def check(targets: list[dict], predictions: list[dict]) -> None:
    by_iou = average_precisions(targets, predictions).mean(axis=0)
    expected = pycocotools_stats(targets, predictions, 3)
    assert [by_iou.mean(), by_iou[0], by_iou[5]] == pytest.approx(expected, abs=1e-9)
    assert coco_map(targets, predictions) == pytest.approx(by_iou.mean())
    assert coco_map_50(targets, predictions) == pytest.approx(by_iou[0])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(image, min_size=1, max_size=4).filter(
        lambda images: any(truth for truth, _ in images) and any(found for _, found in images)
    )
)
def test_every_tie_is_settled_as_by_pycocotools(images) -> None:
    check(*as_arrays(images))


@pytest.mark.parametrize("step", [1, -1])
def test_of_two_truths_as_near_the_last_is_taken(step: int) -> None:
    two = np.array([[0, 0, 4, 4], [2, 0, 6, 4]], float)[::step]
    between = np.array([[1, 0, 5, 4], [2, 0, 6, 4]], float)  # IoU 0.6 with both; one of them
    targets = [{BOXES: two, LABELS: np.zeros(2, int)}]
    predictions = [{BOXES: between, LABELS: np.zeros(2, int), SCORES: np.array([0.9, 0.5])}]
    check(targets, predictions)


def test_of_a_crowd_the_most_certain_hundred_of_a_class_count() -> None:
    targets, predictions = crowds(2, 300, seed=0)
    assert all((prediction[LABELS] == 0).sum() > MOST for prediction in predictions)
    check(targets, predictions)


def test_map_needs_the_right_class_and_some_truth() -> None:
    targets, _ = crowds(6, 12, seed=2)
    right = [{**target, SCORES: np.ones(len(target[BOXES]))} for target in targets]
    wrong = [{**prediction, LABELS: (prediction[LABELS] + 1) % 3} for prediction in right]
    assert coco_map(targets, right) == pytest.approx(1)
    assert coco_map(targets, wrong) < 0.1
    assert coco_map([t[BOXES] for t in targets], [{**p, LABELS: p[LABELS] * 0} for p in wrong]) == 1
    assert math.isnan(coco_map([NO_BOXES], [{BOXES: NO_BOXES, SCORES: np.zeros(0)}]))
