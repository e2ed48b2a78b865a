"""Each look on an evaluation of each task, told apart from the model that made it."""

import warnings
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import average_precision_score, roc_auc_score

from common.callbacks.looks import LOOKS
from common.config import Config
from common.data.columns import group_columns
from common.evaluation import Evaluation
from common.figures.encode import figure_to_image
from common.keys import (
    BOXES,
    IMAGE,
    IMAGE_ID,
    INDEX,
    LABELS,
    LOSS,
    MASK,
    PREDICTION,
    SCORES,
    TARGET,
)
from common.loggers.recording import RecordingLogger
from common.metrics.choose import choose_metrics
from common.metrics.pixels import confusion, threshold_counts

N = 60


class Samples:
    """A dataset whose pictures tell their index."""

    def __init__(self, columns: dict) -> None:
        self.columns, self.read = columns, []

    def __getitem__(self, index: int) -> dict:
        self.read.append(index)
        picture = torch.full((3, 64, 64), index, dtype=torch.uint8)
        return {IMAGE: picture, MASK: torch.ones(64, 64, dtype=torch.uint8)}


def looked(config: Config, target, prediction, names=None) -> RecordingLogger:
    """Let the task's looks see an evaluation whose rows are not in the dataset's order."""
    random, count = np.random.default_rng(1), len(target)
    evaluation = Evaluation(
        {
            INDEX: np.arange(count),
            IMAGE_ID: [f"i{number}" for number in range(count)],
            TARGET: target,
            PREDICTION: prediction,
            LOSS: random.random(count),
        }
    )
    metrics = choose_metrics(config)
    frame = pd.DataFrame({"city": random.choice(["Wien", "Graz"], count), "day": np.arange(count)})
    samples = Samples(group_columns(frame, config.log.breakdown))
    learn = SimpleNamespace(
        train_iter=5,
        epoch=0,
        dls=SimpleNamespace(valid=SimpleNamespace(dataset=samples)),
        evaluate_callback=SimpleNamespace(scored=metrics),
    )
    logger = RecordingLogger()
    for name in names or ("confusion", "curves", "distribution", "breakdown"):
        look = LOOKS[config.task][name](config, logger)
        look.learn = learn
        look.look(evaluation)
    for given in logger.of("figure"):
        assert figure_to_image(given["figure"]).std() > 0, given["name"]
    return logger


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # of an older matplotlib's own
        yield


def config_of(task: str, classes: tuple[str, ...], metric: str, **values) -> Config:
    log = {"breakdown": ["city", "city*day"], "strict": True}
    return Config(competition="x", task=task, classes=classes, metric=metric, log=log, **values)


def probabilities(target: np.ndarray, count: int) -> np.ndarray:
    logits = np.random.default_rng(2).normal(0, 1, (len(target), count))
    logits[np.arange(len(target)), target] += 1
    return (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)


@pytest.fixture
def classes():
    target = np.arange(N) % 3
    return target, probabilities(target, 3)


def scalars(logger: RecordingLogger) -> dict[str, float]:
    return {k: v for given in logger.of("scalars") for k, v in given["values"].items()}


def figures(logger: RecordingLogger) -> set[str]:
    return {given["name"] for given in logger.of("figure")}


USUAL = {"valid/confusion", "valid/curves", "valid/distribution"}
BROKEN_DOWN = {"valid/breakdown/city", "valid/breakdown/city*day"}


def test_classes(classes):
    target, prediction = classes
    logger = looked(config_of("classification", ("a", "b", "c"), "accuracy"), *classes)
    assert figures(logger) == USUAL | BROKEN_DOWN | {"valid/confusion_counts"}
    values = scalars(logger)
    for place, name in enumerate("abc"):
        truth, score = target == place, prediction[:, place]
        area = average_precision_score(truth, score)
        assert values[f"valid/average_precision/{name}"] == pytest.approx(area)
        assert values[f"valid/roc_auc/{name}"] == pytest.approx(roc_auc_score(truth, score))
    undecided = (prediction.max(1) < 0.6).mean()
    assert values["valid/distribution/undecided"] == pytest.approx(undecided)
    assert logger.of("histogram")[0]["counts"].sum() == N
    (line,) = logger.of("curve", "valid/precision_recall")
    assert line["axes"] == ("recall", "precision")
    assert line["counts"].shape == (101, 4)
    assert (line["counts"].sum(1) == line["counts"][0].sum()).all()


def test_mistakes_name_images_that_are_such_mistakes(classes):
    target, prediction = classes
    config = config_of("classification", ("a", "b", "c"), "accuracy")
    rows = looked(config, *classes, ["confusion"]).of("table", "valid/most_confused")[0]["rows"]
    wrong = (prediction.argmax(1) != target).sum()
    assert sum(row["count"] for row in rows) == wrong  # three classes have six kinds of mistakes
    for row in rows:
        ids = [int(name[1:]) for name in row["examples"].split(", ")]
        assert {"abc"[target[i]] for i in ids} == {row["actual"]}
        assert {"abc"[prediction[i].argmax()] for i in ids} == {row["predicted"]}
        sure = [prediction[i].max() for i in ids]
        assert sure == sorted(sure, reverse=True)
        assert all((row["image"] == i).any() for i in ids)  # the picture of each was read


def test_groups_have_the_scores_of_their_rows(classes):
    config = config_of("classification", ("a", "b", "c"), "accuracy")
    logger = looked(config, *classes, ["breakdown"])
    rows = logger.of("table", "valid/breakdown_table/city")[0]["rows"]
    right = (classes[1].argmax(1) == classes[0]).mean()
    total = sum(row["samples"] for row in rows)
    assert total == N
    assert sum(row["samples"] * row["accuracy"] for row in rows) / N == pytest.approx(right)
    crossed = logger.of("table", "valid/breakdown_table/city*day")[0]["rows"]
    assert sum(row["samples"] for row in crossed) == N
    for row in rows:
        part = [cell for cell in crossed if cell["city"] == row["city"]]
        assert sum(cell["samples"] for cell in part) == row["samples"]
        losses = sum(cell["samples"] * cell["loss"] for cell in part) / row["samples"]
        assert losses == pytest.approx(row["loss"])


@pytest.mark.parametrize("metric", ["accuracy", "roc_auc"])
def test_two_classes_have_a_threshold(metric):
    target = np.arange(N) % 2
    prediction = probabilities(target, 2)
    config = config_of("classification", ("no", "yes"), metric)
    logger = looked(config, target, prediction)
    values = scalars(logger)
    threshold = values["valid/distribution/best_threshold"]
    if metric == "accuracy":
        best = ((prediction[:, 1] > threshold) == target).mean()
        assert values["valid/distribution/best_score"] == best
        assert best >= (prediction.argmax(1) == target).mean()
    assert set(values) >= {"valid/average_precision/yes", "valid/roc_auc/yes"}
    assert "valid/roc_auc/no" not in values


def test_a_fold_of_one_class_warns_and_logs_no_number():
    target = np.zeros(N, int)
    config = config_of("classification", ("no", "yes"), "roc_auc")
    with pytest.warns(UserWarning, match="always or never there in this fold, no curve: yes"):
        logger = looked(config, target, probabilities(target, 2))
    assert all(np.isfinite(value) for value in scalars(logger).values())
    row = logger.of("table", "valid/class_scores")[0]["rows"][0]
    assert np.isnan(row["average_precision"])
    assert np.isnan(row["roc_auc"])
    assert "valid/curves" not in figures(logger)
    assert {"valid/confusion", *BROKEN_DOWN} <= figures(logger)


def test_labels():
    random = np.random.default_rng(0)
    target = (random.random((N, 3)) < 0.4).astype(np.float32)
    prediction = (0.3 * target + 0.6 * random.random((N, 3))).astype(np.float32)
    config = config_of("classification", ("a", "b", "c"), "macro_f1", multilabel=True)
    logger = looked(config, target, prediction)
    assert figures(logger) == USUAL | BROKEN_DOWN
    rows = logger.of("table", "valid/most_confused")[0]["rows"]
    assert sum(row["count"] for row in rows) == ((prediction >= 0.5) != (target > 0.5)).sum()
    for row in rows:
        missed = row["predicted"].startswith("no ")
        label = "abc".index(row["actual"] if missed else row["predicted"])
        for number in (int(name[1:]) for name in row["examples"].split(", ")):
            assert (target[number, label] > 0.5) == missed
            assert (prediction[number, label] >= 0.5) != missed
    assert scalars(logger)["valid/distribution/best_score"] > 0


def masks() -> list[tuple[np.ndarray, np.ndarray]]:
    random, found = np.random.default_rng(3), []
    for number in range(N):
        mask = np.zeros((16, 16), int)
        mask[: number % 12, :8] = 1
        noise = random.normal(0, 0.3, mask.shape)
        found.append(((0.25 + 0.5 * mask + noise).clip(0, 1).astype(np.float32), mask))
    return found


def test_masks():
    counts = np.array([threshold_counts(p, m) for p, m in masks()])
    counts[7] = -1  # a window with NaN
    target = np.stack([np.zeros(N, int), np.arange(N) // 2], 1)
    logger = looked(config_of("segmentation", ("roof",), "iou"), target, counts)
    assert figures(logger) == USUAL | BROKEN_DOWN | {"valid/confusion_counts"}
    flat = [np.concatenate([x[i].ravel() for n, x in enumerate(masks()) if n != 7]) for i in (0, 1)]
    values = scalars(logger)
    assert values["valid/roc_auc/roof"] == pytest.approx(roc_auc_score(flat[1], flat[0]), abs=0.01)
    inside = (flat[0] >= 10 / 32) & (flat[0] < 22 / 32)
    assert values["valid/distribution/undecided"] == pytest.approx(inside.mean())
    rows = logger.of("table", "valid/most_confused")[0]["rows"]
    wrong = (flat[0] >= 0.5) != (flat[1] > 0)
    assert sum(row["count"] for row in rows) == wrong.sum()
    assert logger.of("histogram")[0]["counts"].sum() == len(flat[0])


def test_masks_of_several_classes():
    tables = np.concatenate(
        [confusion(p.astype(int)[None] + (p > 0.6), m[None], 3) for p, m in masks()]
    )
    target = np.stack([np.zeros(N, int), np.arange(N)], 1)
    config = config_of("segmentation", ("ground", "roof", "road"), "class_iou")
    logger = looked(config, target, tables)
    assert figures(logger) == USUAL | BROKEN_DOWN | {"valid/confusion_counts"}
    rows = logger.of("table", "valid/class_scores")[0]["rows"]
    assert sum(row["pixels"] for row in rows) == tables.sum()


@pytest.mark.parametrize("names", [("wheat",), ("red", "white")])
def test_boxes(names):
    random, targets, predictions = np.random.default_rng(4), [], []
    for number in range(N):
        slots = random.permutation(4)[: number % 4]  # boxes that do not overlap
        corner = np.stack([slots % 2, slots // 2], 1).astype(np.float32) * 30
        boxes = np.concatenate([corner, corner + 15], 1)
        labels = random.integers(0, len(names), len(boxes))
        targets.append({BOXES: boxes, LABELS: labels})
        scores = random.random(len(boxes)).astype(np.float32)
        predictions.append({BOXES: boxes + 1, LABELS: labels, SCORES: scores})
    logger = looked(config_of("detection", names, "wheat_score"), targets, predictions)
    own = {"valid/confusion_counts", "valid/breakdown/box_size"}
    assert figures(logger) == USUAL | BROKEN_DOWN | own
    values = scalars(logger)
    assert values["valid/average_precision/iou_0.50"] == pytest.approx(1)
    assert values["valid/average_precision/iou_0.95"] == 0
    assert ("valid/average_precision/red" in values) == (len(names) > 1)
    sizes = logger.of("table", "valid/breakdown_table/box_size")[0]["rows"]
    assert [row["boxes"] for row in sizes] == [sum(len(target[BOXES]) for target in targets)]
    assert [row["size"] for row in sizes] == ["side < 16"]
    missed = logger.of("table", "valid/most_confused")[0]["rows"]
    low = (
        np.concatenate([p[SCORES] for p in predictions])
        < values["valid/distribution/best_threshold"]
    )
    assert sum(row["count"] for row in missed) == low.sum()


def test_no_boxes_at_all():
    empty = {BOXES: np.zeros((0, 4), np.float32), LABELS: np.zeros(0, int)}
    found = [{**empty, SCORES: np.zeros(0, np.float32)}] * N
    logger = looked(config_of("detection", ("a",), "wheat_score"), [empty] * N, found)
    assert "valid/curves" not in figures(logger)
    assert "valid/distribution" in figures(logger)
