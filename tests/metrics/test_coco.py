"""COCO's mean average precision, by each of its programs."""

import math

import numpy as np
import pytest

from common.keys import BOXES, LABELS, SCORES
from common.metrics.coco import coco_backend, coco_map, coco_summary

from .boxes import NO_BOXES, draw


@pytest.mark.parametrize("num_classes", [1, 3])
def test_both_backends_of_map_agree_with_pycocotools_itself(num_classes: int) -> None:
    targets, predictions = draw(20, seed=num_classes, num_classes=num_classes)
    expected = pycocotools_stats(targets, predictions, num_classes)
    for backend in ("pycocotools", coco_backend()):
        summary = coco_summary(targets, predictions, backend)
        got = [summary[name] for name in ("map", "map_50", "map_75", "mar_100")]
        assert got == pytest.approx([expected[i] for i in (0, 1, 2, 8)], abs=1e-6)
        assert coco_map(targets, predictions, backend) == summary["map"]


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
    evaluation.summarize()
    return evaluation.stats


def test_map_needs_the_right_class_and_some_truth() -> None:
    targets, _ = draw(6, seed=2, num_classes=2)
    right = [{**target, SCORES: np.ones(len(target[BOXES]))} for target in targets]
    wrong = [{**prediction, LABELS: 1 - prediction[LABELS]} for prediction in right]
    assert coco_map(targets, right) == pytest.approx(1)
    assert coco_map(targets, wrong) < 0.1
    assert coco_map([t[BOXES] for t in targets], [{**p, LABELS: p[LABELS] * 0} for p in wrong]) == 1
    assert math.isnan(coco_map([NO_BOXES], [{BOXES: NO_BOXES, SCORES: np.zeros(0)}]))
