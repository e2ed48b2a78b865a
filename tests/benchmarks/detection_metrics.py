"""Time of the wheat metric against the usual Python loop, and of COCO's mAP against pycocotools.

`python tests/benchmarks/detection_metrics.py`
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import partial
from importlib.util import find_spec
from io import StringIO

import numpy as np
from table import paired, tell

from common.keys import BOXES, SCORES
from common.metrics.coco import coco_map
from common.metrics.detection import THRESHOLDS, per_image_scores, tune_confidence, wheat_score

LOOPED = 50  # images that the loop scores; its time is scaled to all
Images = tuple[list[np.ndarray], list[dict]]


def draw(num_images: int, num_boxes: int, seed: int = 0) -> Images:
    """Return truths of wheat's sizes in 1024 x 1024 pixels, and predictions a little off."""
    random = np.random.default_rng(seed)
    targets, predictions = [], []
    for _ in range(num_images):
        start = random.uniform(0, 924, (num_boxes, 2))
        truth = np.concatenate([start, start + random.uniform(30, 130, (num_boxes, 2))], axis=1)
        boxes = truth + random.normal(0, 6, truth.shape)
        wrong = random.random(num_boxes) < 0.2
        boxes[wrong] += random.uniform(-300, 300, (wrong.sum(), 1))
        targets.append(truth)
        predictions.append({BOXES: boxes, SCORES: random.random(num_boxes)})
    return targets, predictions


def overlap(one: list[float], other: list[float]) -> float:
    """Return the IoU of two boxes."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    area = (one[2] - one[0]) * (one[3] - one[1]) + (other[2] - other[0]) * (other[3] - other[1])
    return shared / (area - shared)


def loop(targets: list[np.ndarray], predictions: list[dict]) -> list[float]:
    """Score as the competition's public kernels do: every pair anew for each threshold."""
    scores = []
    for truth, prediction in zip(targets, predictions, strict=True):
        order = np.argsort(-prediction[SCORES], kind="stable")
        guesses, total = prediction[BOXES][order].tolist(), 0.0
        for threshold in np.linspace(0.5, 0.75, 6):
            left, hits = dict(enumerate(truth.tolist())), 0
            for guess in guesses:
                best, most = -1, threshold
                for place, box in left.items():
                    iou = overlap(guess, box)
                    if iou > most:
                        best, most = place, iou
                if best >= 0:
                    del left[best]
                    hits += 1
            total += hits / (len(guesses) + len(left))
        scores.append(total / 6)
    return scores


def compiled_loop() -> Callable[[list[np.ndarray], list[dict]], list[float]]:
    """Return the loop as the public kernels speed it up: by numba, each IoU computed once."""
    import numba

    quick_overlap = numba.njit(overlap)

    @numba.njit
    def score(truth: np.ndarray, guesses: np.ndarray, thresholds: np.ndarray) -> float:
        ious = np.empty((len(guesses), len(truth)))
        for row in range(len(guesses)):
            for place in range(len(truth)):
                ious[row, place] = quick_overlap(guesses[row], truth[place])
        total = 0.0
        for threshold in thresholds:
            taken, hits = np.zeros(len(truth), np.bool_), 0
            for row in range(len(guesses)):
                best, most = -1, threshold
                for place in range(len(truth)):
                    if not taken[place] and ious[row, place] > most:
                        best, most = place, ious[row, place]
                if best >= 0:
                    taken[best] = True
                    hits += 1
            total += hits / (len(guesses) + len(truth) - hits)
        return total / len(thresholds)

    def scores(targets: list[np.ndarray], predictions: list[dict]) -> list[float]:
        found = []
        for truth, prediction in zip(targets, predictions, strict=True):
            order = np.argsort(-prediction[SCORES], kind="stable")
            found.append(score(truth, prediction[BOXES][order], THRESHOLDS))
        return found

    return scores


def wheat(num_images: int, num_boxes: int, rounds: int) -> None:
    """Compare with the loop, and with the loop by numba; the scores of all must be the same."""
    targets, predictions = images = draw(num_images, num_boxes)
    few = targets[:LOOPED], predictions[:LOOPED]
    np.testing.assert_allclose(loop(*few), per_image_scores(*few), atol=1e-12)
    what = f"wheat metric, {num_images:,} x {num_boxes} boxes"
    ours = partial(wheat_score, *images)
    _, _, ratio = paired(ours, partial(loop, *few), rounds)
    times = num_images / LOOPED / ratio
    tell(what, "pure Python", times, 60, at_least=True, unit="times as fast")
    ratio = None
    if find_spec("numba"):
        compiled = compiled_loop()
        np.testing.assert_allclose(compiled(*images), per_image_scores(*images), atol=1e-12)
        _, _, ratio = paired(ours, partial(compiled, *images), rounds)
    tell(what, "numba, once compiled", ratio, 1, why="" if ratio else "not installed")
    slow, quick, _ = paired(partial(tune_confidence, *images), ours, rounds)
    print(f"tune_confidence, 100 thresholds: {slow:.2f} s, wheat_score {quick:.2f} s")


def pycocotools_map(targets: list[np.ndarray], predictions: list[dict]) -> float:
    """Return the mean average precision as pycocotools is used, by dicts and an array of rows."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    sides = [np.concatenate([box[:, :2], box[:, 2:] - box[:, :2]], axis=1) for box in targets]
    rows = [(image, box) for image, boxes in enumerate(sides) for box in boxes.tolist()]
    truth = COCO()
    truth.dataset = {
        "images": [{"id": image} for image in range(len(targets))],
        "categories": [{"id": 1}],
        "annotations": [
            {"id": n, "image_id": image, "category_id": 1, "iscrowd": 0, "bbox": box}
            | {"area": box[2] * box[3]}
            for n, (image, box) in enumerate(rows, 1)
        ],
    }
    truth.createIndex()
    found = [
        np.column_stack([np.full(len(box), n), box[:, :2], box[:, 2:] - box[:, :2], score, score])
        for n, (box, score) in enumerate((one[BOXES], one[SCORES]) for one in predictions)
    ]
    given = np.concatenate(found)
    given[:, 6] = 1  # the class
    evaluation = COCOeval(truth, truth.loadRes(given), "bbox")
    for step in (evaluation.evaluate, evaluation.accumulate, evaluation.summarize):
        step()
    return evaluation.stats[0]


def coco(num_images: int, num_boxes: int, rounds: int) -> None:
    """Compare with pycocotools; the scores must be the same."""
    images = draw(num_images, num_boxes)
    with redirect_stdout(StringIO()):
        np.testing.assert_allclose(coco_map(*images), pycocotools_map(*images), atol=1e-5)
        _, _, ratio = paired(partial(coco_map, *images), partial(pycocotools_map, *images), rounds)
    what = f"COCO mAP, {num_images:,} x {num_boxes} boxes"
    tell(what, "pycocotools", 1 / ratio, 12, at_least=True, unit="times as fast")


if __name__ == "__main__":
    wheat(1000, 40, rounds=5)
    coco(1000, 40, rounds=1)
