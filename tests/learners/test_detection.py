"""The detection Learner learns drawn rectangles, and says of each picture what it lost."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from common import distributed
from common.callbacks.schedule import Schedule, make_shape
from common.config import Config, DataConfig, LogConfig, ModelConfig, TrainConfig
from common.data.build_boxes import box_loaders
from common.errors import KitError
from common.evaluation import Evaluation
from common.keys import BOXES, CONFIDENCE, IMAGE_ID, INDEX, LABELS, LOSS, PREDICTION, SCORES, TARGET
from common.learners.detection import detection_loss, make_learner
from common.learners.recipe import train_run
from common.learners.tasting import Ingredient, uniform
from common.metrics.coco import coco_map_50
from common.metrics.detection import METRICS, wheat_score
from common.metrics.matching import separate_classes
from common.models.detector import make_detector
from common.runs import Run

from ..several import together
from .parallel import without_batch_norms

NAMES = ("wheat_score", "cross_tuned_wheat_score", "coco_map_50")


@pytest.fixture(scope="module")
def drawn(tmp_path_factory) -> pd.DataFrame:
    """Red and blue rectangles on noise; every fifth picture is empty."""
    folder, rows = tmp_path_factory.mktemp("drawn"), []
    for number in range(48):
        random = np.random.default_rng(number)
        image = random.integers(0, 90, (64, 64, 3)).astype(np.uint8)
        corners = random.permutation(4)[: 0 if number % 5 == 4 else random.integers(1, 4)]
        boxes, labels = [], random.integers(0, 2, len(corners))
        for corner, label in zip(corners.tolist(), labels.tolist(), strict=True):
            (x, y), (w, h) = random.integers(0, 8, 2).tolist(), random.integers(14, 24, 2).tolist()
            x, y = x + corner % 2 * 32, y + corner // 2 * 32
            image[y : y + h, x : x + w, 2 * label] = 230
            boxes.append((x, y, x + w, y + h))
        path = folder / f"{number}.png"
        Image.fromarray(image).save(path)
        row = {"image_id": f"i{number}", "path": str(path), "fold": number % 4}
        rows.append({**row, "boxes": np.array(boxes, float).reshape(-1, 4), "labels": labels})
    return pd.DataFrame(rows)


def config_of(**update) -> Config:
    head = {"fpn_channels": 64, "num_convs": 1, "extra_levels": False}
    return Config(
        competition="x",
        task="detection",
        classes=("red", "blue"),
        metric="cross_tuned_wheat_score",
        data=DataConfig(img_size=64, augment="dihedral", num_workers=0),
        model=ModelConfig(name="test_resnet", weights="none", decoder_arguments=head),
        train=TrainConfig(batch_size=6, lr=5e-3, seed=1),
    ).model_copy(update=update)


def learner_of(frame: pd.DataFrame, **update):
    config = config_of(**update)
    torch.manual_seed(config.train.seed)
    train, valid = box_loaders(frame, 0, config)
    metrics = [METRICS[name] for name in NAMES]
    return make_learner(make_detector(config), train, valid, metrics, config)


@pytest.fixture(scope="module")
def trained(drawn):
    """A Learner after a few epochs, and its evaluation before the first."""
    learner = learner_of(drawn)
    before = learner.validate()
    learner.add_cb(Schedule(make_shape("one_cycle", 0.25)))
    learner.fit(10)
    return learner, before


def test_the_loss_falls_and_the_score_rises(trained) -> None:
    learner, before = trained
    after = learner.evaluation
    assert after[LOSS].mean() < 0.6 * before[LOSS].mean()
    assert after.scores["coco_map_50"] > before.scores["coco_map_50"] + 0.3
    assert after.scores["cross_tuned_wheat_score"] > 0.3


def test_the_classes_are_told_apart(trained) -> None:
    learner = trained[0]
    evaluation = learner.evaluation
    least = learner.thresholds(evaluation)[CONFIDENCE]
    found = [
        {key: column[one[SCORES] >= least] for key, column in one.items()}
        for one in evaluation[PREDICTION]
    ]
    swapped = [{**one, LABELS: 1 - one[LABELS]} for one in found]
    right, wrong = (coco_map_50(evaluation[TARGET], boxes) for boxes in (found, swapped))
    assert wrong < 0.4 * right


def test_the_evaluation_keeps_every_picture_and_its_terms(trained, drawn) -> None:
    evaluation = trained[0].evaluation
    held_out = drawn[drawn.fold == 0].reset_index(drop=True)
    assert evaluation[IMAGE_ID] == held_out.image_id.tolist()
    assert evaluation[INDEX].tolist() == list(range(len(held_out)))
    for truth, boxes, labels in zip(
        evaluation[TARGET], held_out.boxes, held_out.labels, strict=True
    ):
        np.testing.assert_allclose(truth[BOXES], boxes, atol=1e-4)
        assert truth[LABELS].tolist() == labels.tolist()
    terms = [evaluation[f"{LOSS}/{name}"] for name in ("classes", "boxes", "centres")]
    np.testing.assert_allclose(sum(terms), evaluation[LOSS], rtol=1e-5)
    empty = np.array([len(truth[BOXES]) == 0 for truth in evaluation[TARGET]])
    assert empty.any()
    assert (terms[1][empty] == 0).all()
    assert (terms[1][~empty] > 0).all()
    for found in evaluation[PREDICTION]:
        assert found[BOXES].shape == (len(found[SCORES]), 4)
        assert found[LABELS].dtype == np.int64


def test_the_batch_size_of_validation_changes_no_loss(trained) -> None:
    learner = trained[0]
    expected = learner.validate()
    losses = expected[LOSS].copy()
    loader = learner.dls.valid
    alone = torch.utils.data.DataLoader(loader.dataset, 1, collate_fn=loader.collate_fn)
    found = learner.validate(dl=alone)
    np.testing.assert_allclose(found[LOSS], losses, rtol=1e-4, atol=1e-5)


def test_the_threshold_is_the_best_that_there_is(trained) -> None:
    learner = trained[0]
    evaluation = learner.evaluation
    threshold = learner.thresholds(evaluation)[CONFIDENCE]
    truths, found = (separate_classes(evaluation[key]) for key in (TARGET, PREDICTION))
    best = wheat_score(truths, found, confidence=threshold)
    assert all(
        best >= wheat_score(truths, found, confidence=other) - 1e-9
        for other in np.linspace(0, 0.99, 34)
    )
    assert best > 0.3


def test_a_threshold_exists_where_none_can_be_tuned(trained) -> None:
    broken = {BOXES: np.full((1, 4), np.nan), LABELS: np.zeros(1, int), SCORES: np.ones(1)}
    truth = {BOXES: np.zeros((0, 4)), LABELS: np.zeros(0, int)}
    evaluation = Evaluation({INDEX: np.arange(1), TARGET: [truth], PREDICTION: [broken]})
    with pytest.warns(UserWarning, match="NaN predictions"):
        assert trained[0].thresholds(evaluation) == {CONFIDENCE: 0.5}


def test_weights_of_the_terms_come_from_the_config(drawn) -> None:
    learner = learner_of(drawn, **{"train.loss": {"classes": 2.0, "boxes": 0.5}})
    evaluation = learner.validate()
    expected = 2 * evaluation[f"{LOSS}/classes"] + 0.5 * evaluation[f"{LOSS}/boxes"]
    np.testing.assert_allclose(evaluation[LOSS], expected, rtol=1e-5)
    with pytest.raises(KitError, match="did you mean 'classes'"):
        detection_loss(config_of(**{"train.loss": {"clases": 1.0}}))
    with pytest.raises(KitError, match="unknown term 'centres'"):
        detection_loss(config_of(**{"train.loss": {"centres": 1.0}, "model.decoder": "retinanet"}))


@pytest.mark.parametrize("update", [{"model.decoder": "retinanet"}, {"train.mosaic": 0.5}])
def test_other_recipes_train_too(drawn, update) -> None:
    learner = learner_of(drawn, **update)
    before = learner.validate()[LOSS].mean()
    learner.fit(2)
    assert learner.evaluation[LOSS].mean() < before


def test_a_fold_without_a_single_box_validates(drawn) -> None:
    empty = drawn.fold == 0
    frame = drawn.assign(
        boxes=[None if e else b for e, b in zip(empty, drawn.boxes, strict=True)],
        labels=[None if e else c for e, c in zip(empty, drawn.labels, strict=True)],
    )
    evaluation = learner_of(frame).validate()
    assert np.isfinite(evaluation[LOSS]).all()
    assert (evaluation[f"{LOSS}/boxes"] == 0).all()


def test_a_soup_of_detectors_is_validated_with_norms_of_its_own(drawn):
    learner = learner_of(drawn)
    contents = {}
    for seed in (1, 2):
        torch.manual_seed(seed)
        weights = make_detector(config_of()).state_dict()
        contents[Ingredient(f"{seed}", Path(f"{seed}.pt"), 0.0)] = {"weights": weights}
    soup = uniform(learner, contents, METRICS["wheat_score"])
    parts = [content["weights"] for content in contents.values()]
    for key, value in soup.content["weights"].items():
        assert value.isfinite().all()
        if "running" in key:
            assert not torch.allclose(value, (parts[0][key] + parts[1][key]) / 2)
        elif value.is_floating_point():
            torch.testing.assert_close(value, (parts[0][key] + parts[1][key]) / 2)
    assert set(soup.content["thresholds"]) == {CONFIDENCE}
    assert soup.content["scores"]["valid/wheat_score"] == soup.score


def fit_drawn(frame, folder) -> dict:
    with distributed.joined():
        log = LogConfig(loggers=("local",), looks=("extremes", "label_issues"), strict=True)
        config = config_of(**{"log": log, "train.epochs": 1})
        run = Run(folder)
        if distributed.is_first():
            Run.create(folder, config)
        torch.manual_seed(config.train.seed)
        model = without_batch_norms(make_detector(config))
        metrics = [METRICS[config.metric]]
        learner = make_learner(model, *box_loaders(frame, 0, config), metrics, config)
        summary = train_run(learner, config, run, metrics)
        positives = float(learner.model.positives)
        return {"scores": summary["metrics"], "positives": positives} | learner.evaluation.columns


def test_two_processes_train_as_one(drawn, tmp_path):
    folders = [tmp_path / "x" / name / "fold0" for name in ("one", "two")]
    drawn = drawn.head(24)
    one = fit_drawn(drawn, folders[0])
    for two in together(2, fit_drawn, drawn, folders[1]):
        assert two["positives"] == pytest.approx(one["positives"], rel=1e-5)  # over both parts
        assert two["scores"] == pytest.approx(one["scores"], rel=2e-3, abs=1e-3)
        assert two[IMAGE_ID] == one[IMAGE_ID]
        np.testing.assert_allclose(two[LOSS], one[LOSS], rtol=2e-3)
        for ours, theirs in zip(two[TARGET], one[TARGET], strict=True):
            np.testing.assert_array_equal(ours[BOXES], theirs[BOXES])
    tables = [pd.read_parquet(f / "figures" / "train_extremes_epoch1.parquet") for f in folders]
    assert tables[0]["image_id"].tolist() == tables[1]["image_id"].tolist()
