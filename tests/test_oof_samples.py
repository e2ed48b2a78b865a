"""Drawn units: every row of a unit comes along, and twice drawn is twice scored."""

import numpy as np
import pandas as pd
import pytest

from common.config import Config
from common.keys import BOXES, FOLD, GROUP, IMAGE_ID, LABEL, LABELS, SCORES
from common.metrics import classification, detection, segmentation
from common.oof import COUNTS, IMAGE_CODE, PREDICTED
from common.oof_samples import common_rows, read_samples, score_drawn


def config(task: str, *classes: str) -> Config:
    return Config(competition="x", metric="m", task=task, classes=classes)


def classes_frame(count: int = 30, groups: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({IMAGE_ID: [f"i{n}" for n in range(count)], FOLD: np.arange(count) % 2})
    frame[LABEL] = random.integers(0, 2, count)
    frame["prob_a"] = random.random(count)
    frame["prob_b"] = 1 - frame["prob_a"]
    return frame.assign(**{GROUP: [f"g{n % groups}" for n in range(count)]}) if groups else frame


def test_all_units_once_score_as_the_whole():
    settings = config("classification", "a", "b")
    for groups in (0, 7):
        samples = read_samples(classes_frame(groups=groups), settings)
        assert samples.num == (groups or 30)
        assert samples.kind == ("groups" if groups else "samples")
        for name in ("accuracy", "roc_auc"):
            metric = classification.METRICS[name]
            whole = metric.function(samples.target, samples.prediction)
            assert score_drawn(metric, samples)(np.arange(samples.num)) == pytest.approx(whole)


def test_a_group_comes_with_all_its_rows_as_often_as_it_is_drawn():
    frame = classes_frame(groups=7)
    samples = read_samples(frame, config("classification", "a", "b"))
    right = (frame["prob_b"] > 0.5).astype(int) == frame[LABEL]
    rows = pd.concat([right[frame[GROUP] == f"g{n}"] for n in (3, 3, 5)])
    score = score_drawn(classification.METRICS["accuracy"], samples)
    assert score(np.array([3, 3, 5])) == pytest.approx(rows.mean())


def masks_frame(cities: int) -> pd.DataFrame:
    """Four images of two windows each."""
    random = np.random.default_rng(1)
    counts = [random.integers(0, 50, 31 * 4) for _ in range(8)]
    codes = np.repeat([40, 10, 30, 20], 2)
    values = {GROUP: codes // 10 % cities, IMAGE_CODE: codes, COUNTS: counts, FOLD: 0}
    return pd.DataFrame({IMAGE_ID: [f"w{n}" for n in range(8)], **values})


def test_images_of_windows_are_drawn_whole_and_twice_drawn_counts_twice():
    samples = read_samples(masks_frame(cities=1), config("segmentation", "roof"))
    assert (samples.num, samples.kind) == (4, "images")
    metric = segmentation.METRICS["iou_per_image"]
    score = score_drawn(metric, samples)
    alone = [score(np.array([n])) for n in range(4)]
    assert score(np.array([2, 2, 0])) == pytest.approx((2 * alone[2] + alone[0]) / 3)


def test_cities_are_drawn_whole_and_stay_apart():
    samples = read_samples(masks_frame(cities=2), config("segmentation", "roof"))
    assert (samples.num, samples.kind) == (2, "groups")
    score = score_drawn(segmentation.METRICS["iou_per_group"], samples)
    alone = [score(np.array([n])) for n in range(2)]
    assert score(np.array([1, 1, 0])) == pytest.approx((2 * alone[1] + alone[0]) / 3)


def boxes_frame(count: int = 12) -> pd.DataFrame:
    random = np.random.default_rng(2)
    rows = []
    for number in range(count):
        corner = random.uniform(0, 50, (3, 2))
        truth = np.hstack([corner, corner + 20])
        said = truth + random.normal(0, 2, truth.shape)
        rows.append(
            {
                IMAGE_ID: f"i{number}",
                BOXES: truth.ravel(),
                LABELS: np.zeros(3, int),
                PREDICTED + BOXES: said.ravel(),
                PREDICTED + LABELS: np.zeros(3, int),
                PREDICTED + SCORES: random.random(3),
                FOLD: number % 2,
            }
        )
    return pd.DataFrame(rows)


@pytest.mark.parametrize("name", detection.METRICS)
def test_boxes_score_as_the_whole(name):
    samples = read_samples(boxes_frame(), config("detection", "head"))
    metric = detection.METRICS[name]
    whole = metric.function(samples.target, samples.prediction)
    assert score_drawn(metric, samples)(np.arange(12)) == pytest.approx(whole)
    if metric.each:
        assert metric.each(samples.target, samples.prediction).mean() == pytest.approx(whole)


def test_the_quick_way_of_the_wheat_score_is_the_slow_one():
    samples = read_samples(boxes_frame(), config("detection", "head"))
    metric = detection.METRICS["wheat_score"]
    drawn = np.random.default_rng(0).integers(12, size=12)
    slow = score_drawn(metric._replace(each=None), samples)(drawn)
    assert score_drawn(metric, samples)(drawn) == pytest.approx(slow)


def test_common_rows_are_in_one_order():
    frame = classes_frame()
    shuffled = frame.sample(frac=0.6, random_state=0)
    one, other = common_rows(frame, shuffled, config("classification", "a", "b"))
    assert len(one) == len(shuffled) == 18
    pd.testing.assert_frame_equal(one, other)
