"""Planted wrong labels come first after a whole small training, for every task."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from common.callbacks.looks import LOOKS
from common.commands import oof
from common.config import Config, DataConfig, LogConfig, ModelConfig, TrainConfig
from common.data.build import fold_loaders
from common.data.build_boxes import box_loaders
from common.data.build_masks import mask_loaders
from common.environment import seed_everything
from common.label_history import LabelHistory
from common.learners import classification, detection, segmentation
from common.learners.recipe import train_run
from common.metrics.choose import choose_metrics
from common.models.classifier import make_classifier
from common.models.detector import make_detector
from common.models.segmenter import make_segmenter
from common.runs import Run
from common.train_losses import TrainLosses, confirm, learnt_late

from ...loggers.conftest import WandbRun

PARTS = {
    "classification": (fold_loaders, make_classifier, classification.make_learner),
    "segmentation": (mask_loaders, make_segmenter, segmentation.make_learner),
    "detection": (box_loaders, make_detector, detection.make_learner),
}


def train(config: Config, frame: pd.DataFrame, folder, resume: bool = False) -> Run:
    seed_everything(config.train.seed, deterministic=True)
    run = Run.create(folder / config.competition / "e" / "fold0", config, resume)
    load, make_model, make_learner = PARTS[config.task]
    metrics = choose_metrics(config)
    learner = make_learner(make_model(config), *load(frame, 0, config), metrics, config)
    train_run(learner, config, run, metrics, resume)
    torch.use_deterministic_algorithms(False)
    return run


@pytest.fixture
def colour_config(config) -> Config:
    values = {"log.looks": ["label_issues"], "train.epochs": 4, "log.loggers": ["local"]}
    return config.model_copy(update=values)


@pytest.fixture
def wrong_colours(colours) -> tuple[pd.DataFrame, str]:
    """The frame with one wrong label in the fold that validates."""
    row = int(np.flatnonzero(colours.fold == 0)[4])
    labels = colours.label.to_numpy().copy()
    labels[row] = (labels[row] + 1) % 3
    return colours.assign(label=labels), colours.image_id[row]


def test_a_wrong_class_comes_first(colour_config, wrong_colours, tmp_path):
    frame, wrong = wrong_colours
    run = train(colour_config, frame, tmp_path)
    issues = pd.read_csv(run.label_issues_file)
    assert issues.image_id[0] == wrong
    assert issues.kind[0] == "wrong class"
    truth = frame.set_index("image_id").label[wrong]
    assert issues.given[0] == colour_config.classes[truth]
    assert issues.suggested[0] == colour_config.classes[truth - 1]
    tables = list((run.folder / "figures").glob("*label_issues*.parquet"))
    shown = pd.read_parquet(tables[0])
    assert shown.image_id.tolist() == issues.image_id.head(len(shown)).tolist()
    assert set(issues.image_id) <= set(frame.image_id[frame.fold == 0])  # nothing it learnt from


def drawn(folder, count: int = 40) -> pd.DataFrame:
    """Bright squares on noise, with their boxes and masks; four folds."""
    rows = []
    for number in range(count):
        random = np.random.default_rng(number)
        image = random.integers(0, 90, (64, 64, 3)).astype(np.uint8)
        mask, boxes = np.zeros((64, 64), np.uint8), []
        for corner in random.permutation(4)[:2].tolist():
            x, y = (random.integers(2, 8, 2) + np.array([corner % 2, corner // 2]) * 32).tolist()
            side = int(random.integers(16, 22))
            image[y : y + side, x : x + side, 0] = 230
            mask[y : y + side, x : x + side] = 1
            boxes.append((x, y, x + side, y + side))
        row = {"image_id": f"i{number}", "path": str(folder / f"{number}.png")}
        row |= {"mask": str(folder / f"{number}_mask.png"), "boxes": np.array(boxes, float)}
        Image.fromarray(image).save(row["path"])
        Image.fromarray(mask).save(row["mask"])
        rows.append({**row, "labels": np.zeros(2, np.int64), "fold": number % 4})
    return pd.DataFrame(rows)


def config_of(task: str, **update) -> Config:
    head = {
        "segmentation": {"decoder_channels": [32, 24, 16, 12, 8]},
        "detection": {"fpn_channels": 64, "num_convs": 1, "extra_levels": False},
    }
    return Config(
        competition="squares",
        task=task,
        classes=("square",),
        metric={"segmentation": "iou", "detection": "cross_tuned_wheat_score"}[task],
        data=DataConfig(img_size=64, augment="dihedral", num_workers=0, n_folds=4),
        model=ModelConfig(name="test_resnet", weights="none", decoder_arguments=head[task]),
        train=TrainConfig(epochs=8, batch_size=5, lr=5e-3, seed=1),
        log=LogConfig(loggers=("local",), looks=("label_issues",), strict=True),
    ).model_copy(update=update)


def test_wandb_has_the_list_with_its_pictures(colour_config, wrong_colours, tmp_path):
    frame, wrong = wrong_colours
    config = colour_config.model_copy(update={"log.loggers": ["wandb"], "train.epochs": 2})
    kept = WandbRun(next((train(config, frame, tmp_path).folder / "wandb").glob("offline-run-*")))
    ((_, table),) = kept.column("valid/label_issues")
    rows = json.loads((kept.folder / "files" / table["path"]).read_text())
    assert "image_id" in rows["columns"]
    assert wrong in [row[rows["columns"].index("image_id")] for row in rows["data"]]
    ((_, panel),) = kept.column("valid/label_issues_images")
    assert len(panel["filenames"]) == len(rows["data"])
    assert all((kept.folder / "files" / name).exists() for name in panel["filenames"])
    assert any(kind == "label_issues" for _, kind in kept.artifacts)


def test_parts_of_masks(tmp_path):
    frame = drawn(tmp_path)
    for number, change in ((0, "missing"), (4, "spurious")):
        mask = np.array(Image.open(frame["mask"][number]))
        x, y, right, bottom = frame.boxes[number][0].astype(int)
        if change == "missing":
            mask[y:bottom, x:right] = 0
        else:
            free = np.argwhere(~_near(mask, 14))[0]
            mask[free[0] : free[0] + 14, free[1] : free[1] + 14] = 1
        Image.fromarray(mask).save(frame["mask"][number])
    issues = pd.read_csv(train(config_of("segmentation"), frame, tmp_path).label_issues_file)
    top = issues.head(2).sort_values("image_id")
    assert top.kind.tolist() == ["missing", "spurious"]
    assert [name.partition("@")[0] for name in top.image_id] == ["i0", "i4"]
    assert top.given.fillna("").tolist() == ["", "square"]
    assert top.suggested.fillna("").tolist() == ["square", ""]
    found = top[["left", "top", "right", "bottom"]].to_numpy()[0]
    np.testing.assert_allclose(found, frame.boxes[0][0], atol=4)


def _near(mask: np.ndarray, side: int) -> np.ndarray:
    """Corners at which a square would touch the mask or the border."""
    taken = np.ones_like(mask, bool)
    for y in range(64 - side):
        for x in range(64 - side):
            taken[y, x] = mask[y : y + side, x : x + side].any()
    return taken


def test_boxes(tmp_path):
    frame = drawn(tmp_path)
    boxes, labels = frame.boxes.tolist(), frame.labels.tolist()
    gone, boxes[0] = boxes[0][0], boxes[0][1:]
    boxes[4] = np.concatenate([boxes[4], [[22, 22, 42, 42]]])
    boxes[8] = boxes[8] + [[6, 4, 6, 4], [0, 0, 0, 0]]
    labels = [np.zeros(len(one), np.int64) for one in boxes]
    changed = frame.assign(boxes=boxes, labels=labels)
    run = train(config_of("detection", **{"train.epochs": 16}), changed, tmp_path)
    issues = pd.read_csv(run.label_issues_file)
    first = issues.drop_duplicates("image_id").head(3).set_index("image_id")
    assert set(first.index) == {"i0", "i4", "i8"}, issues.head(8)
    assert first.kind.reindex(["i0", "i4", "i8"]).tolist() == ["missing", "spurious", "shifted"]
    sides = ["left", "top", "right", "bottom"]
    np.testing.assert_allclose(first.loc["i0", sides].to_numpy(float), gone, atol=5)


def test_every_task_has_it():
    assert {kind for kind, looks in LOOKS.items() if "label_issues" not in looks} == {"regression"}


def test_the_history_survives_a_resume_and_the_look_changes_no_weight(
    colour_config, wrong_colours, tmp_path
):
    frame, _ = wrong_colours
    short = colour_config.model_copy(update={"train.epochs": 2, "train.schedule": "constant"})
    longer = short.model_copy(update={"train.epochs": 4})
    run = train(short, frame, tmp_path)
    first, weights = LabelHistory.read(run.label_history_file), run.summary["weights_sha256"]
    train(longer, frame, tmp_path, resume=True)
    whole = LabelHistory.read(run.label_history_file)
    assert list(first.losses) == [1, 2]
    assert list(whole.losses) == [1, 2, 3, 4]
    for epoch in (1, 2):
        assert whole.losses[epoch] == first.losses[epoch]
        pd.testing.assert_frame_equal(whole.said[epoch], first.said[epoch])
    losses = pd.read_parquet(run.train_losses_file).set_index("image_id")
    assert losses.columns.tolist() == ["1", "2", "3", "4"]
    assert losses.index.tolist() == frame.image_id[frame.fold != 0].tolist()
    assert losses.notna().mean().min() > 0.9  # the last, smaller batch is dropped
    blind = short.model_copy(update={"log.looks": "none"})
    other = train(blind, frame, tmp_path / "blind")
    assert other.summary["weights_sha256"] == weights
    assert not other.label_history_file.exists()


def test_kit_oof_lists_them(colour_config, wrong_colours, tmp_path, monkeypatch, capsys):
    frame, wrong = wrong_colours
    run = train(colour_config, frame, tmp_path)
    monkeypatch.setattr(oof.Competition, "find", lambda name: SimpleNamespace(metrics=lambda c: []))
    oof.score_out_of_fold("colours", "e", tmp_path)
    printed = capsys.readouterr().out
    listed = [line for line in printed.splitlines() if line.startswith("  ")]
    assert wrong in listed[-len(pd.read_csv(run.label_issues_file).head(10))]
    table = pd.read_csv(tmp_path / "colours" / "e" / "label_issues.csv")
    assert table.image_id[0] == wrong
    assert (table.fold == 0).all()
    assert table.doubt.is_monotonic_decreasing


def test_late_learning_confirms_and_silence_does_not(tmp_path):
    doubts = np.array([0.5, 0.5, 0.5, 1.0])
    late = np.array([3.0, 0.1, np.nan, 0.0])
    found = confirm(doubts, late)
    assert found[0] > 0.5 > found[1]
    assert found[2] == pytest.approx(0.5)
    assert 0.9 < found[3] < 1
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for file, ids in zip(files, (["x", "y"], ["y", "z"]), strict=True):
        losses = TrainLosses(ids, file)
        losses.add(1, np.array([0, 1]), np.array([9.0, 9.0]))
        losses.add(2, np.array([1]), np.array([1.0 if file == files[0] else 3.0]))
        losses.add(3, np.array([0, 1]), np.array([2.0, 1.0]))
    assert learnt_late(files).to_dict() == {"x": 2.0, "y": 1.5, "z": 2.0}
