"""Healthy models pass, planted faults are found; for all three tasks."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from common.config import Config, DataConfig, ModelConfig, TrainConfig
from common.data.build import fold_loaders
from common.data.build_boxes import box_loaders
from common.data.build_masks import mask_loaders
from common.keys import BOXES, IMAGE, LABEL, LABELS, LOGITS
from common.learners import classification, detection, segmentation
from common.learners.sanity.chance import ROUNDS, above_chance, deal
from common.learners.sanity.control import donors, shuffled_labels
from common.learners.sanity.one_batch import on_device, one_batch
from common.learners.sanity.start_loss import start_loss
from common.learners.sanity.theory import floor_of
from common.losses.classification import binary_cross_entropy, cross_entropy
from common.losses.terms import LossTerm
from common.models.classifier import make_classifier
from common.models.detector import make_detector
from common.models.segmenter import make_segmenter

TASKS = ("classification", "segmentation", "detection")
PARTS = {
    "classification": (make_classifier, fold_loaders, classification.make_learner),
    "segmentation": (make_segmenter, mask_loaders, segmentation.make_learner),
    "detection": (make_detector, box_loaders, detection.make_learner),
}
SIDE = 64
ENOUGH = {"classification": 50, "segmentation": 25, "detection": 30}  # steps of a control


@pytest.fixture(scope="module")
def frame(tmp_path_factory) -> pd.DataFrame:
    """Noise with a bright rectangle, red or green: its class, its mask, its box; two folds."""
    folder, rows = tmp_path_factory.mktemp("sanity"), []
    for number in range(64):
        random = np.random.default_rng(number)
        image = random.integers(0, 120, (SIDE, SIDE, 3)).astype(np.uint8)
        (x, y), (w, h) = random.integers(0, 40, 2).tolist(), random.integers(14, 24, 2).tolist()
        mask = np.zeros((SIDE, SIDE), np.uint8)
        mask[y : y + h, x : x + w] = 255
        label = int(random.integers(2))
        image[mask > 0, label] = 230
        path, mask_path = folder / f"{number}.png", folder / f"{number}_mask.png"
        Image.fromarray(image).save(path)
        Image.fromarray(mask).save(mask_path)
        row = {"image_id": f"i{number}", "path": str(path), "mask": str(mask_path)}
        row |= {"label": label, "fold": number % 2, "labels": np.zeros(1, np.int64)}
        rows.append({**row, "boxes": np.array([(x, y, x + w, y + h)], float)})
    return pd.DataFrame(rows)


def config_of(task: str, **update) -> Config:
    head = {"fpn_channels": 64, "num_convs": 1, "extra_levels": False}
    narrow = {"decoder_channels": (32, 24, 16, 12, 8)}
    arguments = {"classification": {}, "segmentation": narrow, "detection": head}[task]
    return Config(
        competition="x",
        task=task,
        classes=("red", "green") if task == "classification" else ("thing",),
        metric="any",
        data=DataConfig(img_size=SIDE, augment="none", num_workers=0),
        model=ModelConfig(name="test_resnet", weights="none", decoder_arguments=arguments),
        train=TrainConfig(batch_size=8, lr=5e-3, seed=1),
    ).model_copy(update=update)


def learner_of(frame: pd.DataFrame, task: str, **update):
    config = config_of(task, **update)
    torch.manual_seed(config.train.seed)
    make_model, make_loaders, make_learner = PARTS[task]
    return make_learner(make_model(config), *make_loaders(frame, 0, config), [], config)


def statuses(learner) -> dict[str, str]:
    """Return the status of each term's first loss."""
    return {
        f.found.partition(":")[0]: f.status for f in start_loss(learner, on_device(learner, 32))
    }


def head_bias(learner, task: str) -> torch.Tensor:
    model = learner.model
    return {
        "classification": lambda: model.body.get_classifier().bias,
        "segmentation": lambda: model.net.segmentation_head[0].bias,
        "detection": lambda: model.network.head.classification_head.cls_logits.bias,
    }[task]()


@pytest.mark.parametrize("task", TASKS)
def test_a_fresh_model_starts_where_theory_says(frame, task):
    assert set(statuses(learner_of(frame, task)).values()) == {"ok"}


@pytest.mark.parametrize(("task", "value"), [*zip(TASKS, (4.0, 4.0, 0.0), strict=True)])
def test_a_wrong_bias_of_the_head_is_found(frame, task, value):
    learner = learner_of(frame, task)
    with torch.no_grad():
        head_bias(learner, task)[0] = value
    assert "warning" in statuses(learner).values()


def test_a_bias_of_log_frequencies_is_no_fault(frame):
    rare = frame.assign(label=(np.arange(64) % 16 == 0).astype(int))
    learner = learner_of(rare, "classification")
    with torch.no_grad():
        head_bias(learner, "classification")[:] = torch.tensor([15 / 16, 1 / 16]).log()
    assert statuses(learner) == {"cross_entropy": "ok"}


def test_a_model_that_is_told_the_label_starts_too_low(frame):
    learner = learner_of(frame, "classification")
    plain = learner.model.forward

    def forward(batch):
        return {LOGITS: plain(batch)[LOGITS] + 4 * torch.nn.functional.one_hot(batch[LABEL])}

    learner.model.forward = forward
    assert statuses(learner) == {"cross_entropy": "warning"}


def test_a_first_loss_that_is_not_finite_is_a_problem(frame):
    learner = learner_of(frame, "classification")
    with torch.no_grad():
        head_bias(learner, "classification")[0] = float("nan")
    assert statuses(learner) == {"cross_entropy": "problem"}
    batch = on_device(learner, 8)[0]
    assert one_batch(learner, batch, config_of("classification"), 3).status == "problem"


@pytest.mark.parametrize("task", TASKS)
def test_a_healthy_model_learns_a_batch_by_heart(frame, task):
    learner = learner_of(frame, task)
    finding = one_batch(learner, on_device(learner, 8)[0], config_of(task), seconds=1e9)
    assert finding.status == "ok", finding
    assert "no more time" not in finding.found


@pytest.mark.parametrize("task", TASKS)
def test_a_model_that_cannot_learn_is_a_problem(frame, task):
    learner = learner_of(frame, task)
    for parameter in learner.model.parameters():
        parameter.requires_grad_(False)
    finding = one_batch(learner, on_device(learner, 8)[0], config_of(task), 5, seconds=1e9)
    assert finding.status == "problem", finding
    assert "requires_grad" in finding.remedy


def test_a_learning_rate_that_moves_nothing_is_named(frame):
    learner = learner_of(frame, "classification", **{"train.lr": 1e-9})
    finding = one_batch(learner, on_device(learner, 8)[0], config_of("classification"), 5, 1e9)
    assert finding.status == "problem"
    assert "train.lr" in finding.remedy


def test_smoothed_labels_have_a_floor():
    logits = torch.tensor([[0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3]]).log()
    for function, target, floor in (
        (cross_entropy(0.1), torch.tensor([0]), logits),
        (binary_cross_entropy(0.1), torch.ones(1, 3), torch.full((1, 3), math.log(0.95 / 0.05))),
    ):
        best = float(function(floor, target))
        assert floor_of(LossTerm(LOGITS, LABEL, function), 3, 0.1) == pytest.approx(best, abs=1e-6)
        assert floor_of(LossTerm(LOGITS, LABEL, function), 3, 0.0) == 0


def leak_by_transform(dataset) -> None:
    """Show masks and boxes in the pictures, as an overlay that was left on would."""

    def transform(**sample):
        image = sample["image"] // 2
        if "mask" in sample:
            image[sample["mask"] > 0] = 255
        for left, top, right, bottom in np.asarray(sample.get("bboxes", ())).round().astype(int):
            image[top:bottom, left:right] = 255
        return {**sample, "image": image}

    dataset.transform = transform


def leak_by_corner(dataset) -> None:
    """Let a corner of the picture tell the class."""
    plain = dataset.raw

    def raw(index):
        image = plain(index).copy()
        image[:16, :16] = 255 * int(dataset.labels[index])
        return image

    dataset.raw = raw


@pytest.mark.parametrize("task", TASKS)
def test_labels_that_leak_are_found_by_shuffling_them(frame, task):
    def make():
        learner = learner_of(frame, task)
        leak = leak_by_corner if task == "classification" else leak_by_transform
        for loader in (learner.dls.train, learner.dls.valid):
            leak(loader.dataset)
        return learner

    finding = shuffled_labels(make, steps=ENOUGH[task], seconds=1e9)
    assert finding.status == "warning", finding
    assert "leak" in finding.remedy


@pytest.mark.parametrize("task", TASKS)
def test_shuffled_labels_of_a_healthy_set_teach_nothing(frame, task):
    finding = shuffled_labels(lambda: learner_of(frame, task), steps=ENOUGH[task], seconds=1e9)
    assert finding.status == "ok", finding
    assert "too short" not in finding.found  # the true ones do teach


def test_targets_that_are_dealt_out_fit_other_pictures(frame):
    boxes = learner_of(frame, "detection").dls.train.dataset
    masks = learner_of(frame, "segmentation").dls.train.dataset
    order = np.random.default_rng(0).permutation(32)
    before = [boxes[row] for row in range(32)], [masks[row] for row in range(32)]
    boxes.deal_targets(order)
    masks.deal_targets(order)
    for row, donor in enumerate(order.tolist()):
        assert torch.equal(boxes[row][IMAGE], before[0][row][IMAGE])
        assert torch.equal(boxes[row][BOXES], before[0][donor][BOXES])
        assert torch.equal(boxes[row][LABELS], before[0][donor][LABELS])
        assert torch.equal(masks[row]["mask"], before[1][donor]["mask"])


def test_one_thing_gets_one_label():
    units = np.array([0, 0, 1, 2, 2, 2, 3, 4])
    order = donors(units, np.random.default_rng(0))
    for unit in range(5):
        assert len(set(order[units == unit].tolist())) == 1
    assert len({units[donor] for donor in order.tolist()}) == 5  # every unit gives once


def test_chance_is_exceeded_by_chance_as_often_as_it_says():
    random, alarms = np.random.default_rng(0), 0
    for _ in range(60):
        labels = (random.random(40) < 0.1).astype(float)[:, None]  # rare, and still exact
        guesses = random.normal(size=(40, 1))
        alarms += above_chance(guesses, labels, np.zeros(40), seed=1).probability <= 0.1
    assert 0 <= alarms <= 14
    labels = random.normal(size=(40, 3))
    sure = above_chance(labels + random.normal(size=(40, 3)), labels, np.zeros(40))
    assert sure.probability == 1 / (ROUNDS + 1)


def test_what_differs_between_strata_alone_is_no_knowledge():
    random = np.random.default_rng(0)
    strata = np.arange(60) % 2
    targets = strata[:, None] + random.normal(size=(60, 1)) * 0.1
    guesses = strata[:, None] + random.normal(size=(60, 1)) * 0.1
    assert above_chance(guesses, targets, np.zeros(60)).probability < 0.01
    assert above_chance(guesses, targets, strata).probability > 0.01
    dealt = deal(strata, random)
    assert sorted(dealt.tolist()) == list(range(60))
    assert (strata[dealt] == strata).all()
