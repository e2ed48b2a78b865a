"""Time of the wheat metric against the usual Python loop, and of COCO's mAP by its two backends.

`python tests/benchmarks/detection_metrics.py`; both sides of a ratio run in turn, round by round,
on one thread; seconds are of the process, so that a busy machine changes little.
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
import time
from collections.abc import Callable

import numpy as np
import torch
from table import tell

from common.keys import BOXES, SCORES
from common.metrics.detection import (
    coco_map,
    per_image_scores,
    tune_confidence,
    wheat_score,
)

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


def paired(first: Callable[[], object], second: Callable[[], object], rounds: int) -> np.ndarray:
    """Return (rounds, 2) seconds of both, each round one after the other; a round before warms."""
    seconds = []
    for _ in range(rounds + 1):
        times = [time.process_time()]
        for run in (first, second):
            run()
            times.append(time.process_time())
        seconds.append(np.diff(times))
    return np.array(seconds[1:])


def show(name: str, seconds: np.ndarray, scale: float = 1.0) -> None:
    """Print both medians, and median and range of the ratio of the first to the second."""
    seconds = seconds * (scale, 1)
    ratio = seconds[:, 0] / seconds[:, 1]
    first, second = np.median(seconds, axis=0) * 1e3
    print(
        f"{name:46} {first:9.1f} ms / {second:7.1f} ms  ratio {np.median(ratio):6.1f} "
        f"({ratio.min():.1f} to {ratio.max():.1f})"
    )


def wheat(num_images: int, num_boxes: int, rounds: int) -> None:
    """Compare with the loop; the scores of both must be the same."""
    targets, predictions = draw(num_images, num_boxes)
    few = targets[:LOOPED], predictions[:LOOPED]
    np.testing.assert_allclose(loop(*few), per_image_scores(*few), atol=1e-12)
    scale = num_images / LOOPED
    seconds = paired(lambda: loop(*few), lambda: wheat_score(targets, predictions), rounds)
    show(f"loop (of {LOOPED} images, x {scale:g}) / wheat_score", seconds, scale)
    ratio, unit = float(np.median(seconds[:, 0] * scale / seconds[:, 1])), "times as fast"
    tell(
        f"wheat metric, {num_images:,} x {num_boxes} boxes",
        "pure Python",
        ratio,
        60,
        at_least=True,
        unit=unit,
    )
    every = paired(
        lambda: tune_confidence(targets, predictions),
        lambda: wheat_score(targets, predictions),
        rounds,
    )
    show("tune_confidence (100 thresholds) / wheat_score", every)


def coco(num_images: int, num_boxes: int, rounds: int) -> None:
    """Compare the backends of mAP; their scores must be the same."""
    images = draw(num_images, num_boxes)
    backends = ("pycocotools", "faster_coco_eval")
    slow, quick = (coco_map(*images, backend) for backend in backends)
    np.testing.assert_allclose(slow, quick, atol=1e-6)
    seconds = paired(
        lambda: coco_map(*images, backends[0]), lambda: coco_map(*images, backends[1]), rounds
    )
    show(f"coco_map: {' / '.join(backends)}", seconds)
    ratio, unit = float(np.median(seconds[:, 0] / seconds[:, 1])), "times as fast"
    tell(
        f"COCO mAP, {num_images:,} x {num_boxes} boxes",
        "pycocotools",
        ratio,
        12,
        at_least=True,
        unit=unit,
    )


if __name__ == "__main__":
    torch.set_num_threads(1)
    wheat(1000, 40, rounds=5)
    coco(1000, 40, rounds=1)
