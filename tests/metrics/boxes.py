"""Drawn boxes and guesses."""

import numpy as np

from common.keys import BOXES, LABELS, SCORES

NO_BOXES = np.zeros((0, 4))


def draw(num_images: int, seed: int, num_classes: int = 1) -> tuple[list, list]:
    """Truths, and predictions that know them a little."""
    rng = np.random.default_rng(seed)
    targets, predictions = [], []
    for _ in range(num_images):
        start = rng.uniform(0, 400, (rng.integers(1, 12), 2))
        truth = np.concatenate([start, start + rng.uniform(20, 60, start.shape)], axis=1)
        labels = rng.integers(num_classes, size=len(truth))
        found = rng.random(len(truth)) < 0.8
        wrong = truth[: rng.integers(0, 4)] + 35
        guess = np.concatenate([truth[found] + rng.normal(0, 4, (found.sum(), 4)), wrong])
        scores = np.concatenate([rng.uniform(0.3, 1, found.sum()), rng.uniform(0, 0.6, len(wrong))])
        named = np.concatenate([labels[found], np.zeros(len(wrong), int)])
        targets.append({BOXES: truth, LABELS: labels})
        predictions.append({BOXES: guess, SCORES: scores, LABELS: named})
    return targets, predictions
