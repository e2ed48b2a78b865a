"""Looking does not touch: with all looks and loggers on or off, the weights are the same bits."""

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from common.callbacks.looks import LOOKS
from common.config import Config, DataConfig, LogConfig, ModelConfig, TrainConfig
from common.data.build import fold_loaders
from common.data.build_boxes import box_loaders
from common.data.build_masks import mask_loaders
from common.environment import seed_everything
from common.learners import classification, detection, segmentation
from common.learners.recipe import train_run
from common.metrics.choose import choose_metrics
from common.models.classifier import make_classifier
from common.models.detector import make_detector
from common.models.segmenter import make_segmenter
from common.runs import Run

SMALL_HEAD = {"fpn_channels": 64, "num_convs": 1, "extra_levels": False}
SMALL_DECODER = {"decoder_channels": [32, 24, 16, 12, 8]}
TASKS = {
    "classification": (fold_loaders, make_classifier, classification, "accuracy", {}),
    "segmentation": (mask_loaders, make_segmenter, segmentation, "iou", SMALL_DECODER),
    "detection": (box_loaders, make_detector, detection, "cross_tuned_wheat_score", SMALL_HEAD),
}
EVERY = ("wandb", "tensorboard", "local")


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> pd.DataFrame:
    """18 pictures of one rectangle each, red or blue, with class, mask and box."""
    folder, rows = tmp_path_factory.mktemp("rectangles"), []
    for number in range(18):
        random = np.random.default_rng(number)
        pixels, label = random.integers(0, 90, (96, 96, 3)).astype(np.uint8), number % 2
        (top, left), (height, width) = random.integers(0, 40, 2), random.integers(20, 50, 2)
        pixels[top : top + height, left : left + width, 2 * label] = 230
        mask = np.zeros((96, 96), np.uint8)
        mask[top : top + height, left : left + width] = 1
        paths = {"path": folder / f"{number}.png", "mask": folder / f"{number}_mask.png"}
        Image.fromarray(pixels).save(paths["path"])
        Image.fromarray(mask).save(paths["mask"])
        box = np.array([[left, top, left + width, top + height]], float)
        row = {"image_id": f"r{number}", "fold": number // 2 % 3, "label": label, "boxes": box}
        rows.append({**row, **{k: str(p) for k, p in paths.items()}, "labels": np.array([label])})
    return pd.DataFrame(rows).assign(side=["left", "right"] * 9)


def train(world: pd.DataFrame, task: str, folder, looks, loggers, strict=True):
    make_loaders, make_model, learners, metric, head = TASKS[task]
    config = Config(
        competition="x",
        task=task,
        classes=("roof",) if task == "segmentation" else ("red", "blue"),
        metric=metric,
        data=DataConfig(img_size=96, augment="dihedral", num_workers=0, n_folds=3),
        model=ModelConfig(name="test_resnet", weights="none", decoder_arguments=head),
        train=TrainConfig(epochs=2, batch_size=4, lr=1e-3, ema_decay=0.9),
        log=LogConfig(
            looks=looks, loggers=loggers, strict=strict, gradients_every=1, breakdown=("side",), k=8
        ),
    )
    seed_everything(config.train.seed, deterministic=True)
    run = Run.create(folder / "x" / "test" / "fold0", config)
    metrics = choose_metrics(config)
    learner = learners.make_learner(
        make_model(config), *make_loaders(world, 0, config), metrics, config
    )
    summary = train_run(learner, config, run, metrics)
    torch.use_deterministic_algorithms(False)
    return summary["weights_sha256"], run.folder


@pytest.mark.parametrize("task", TASKS)
def test_weights_are_the_same_bits_with_all_looks_and_loggers(world, tmp_path, task, capsys):
    plain, _ = train(world, task, tmp_path / "off", "none", ())
    looked, folder = train(world, task, tmp_path / "on", "all", EVERY)
    assert looked == plain
    files = {path.name.split("_epoch")[0] for path in (folder / "figures").iterdir()}
    for name in ("extremes_grid", "activation_grid", "predictions_grid", "confusion", "curves"):
        assert f"valid_{name}" in files
    assert {"train_extremes_grid", "train_gradients", "time_parts"} <= files
    assert (folder / "report.html").stat().st_size > 1e5
    assert "LOGGING" not in capsys.readouterr().err


@pytest.mark.parametrize("name", LOOKS["classification"])
def test_a_look_that_fails_is_left_out_by_name_and_training_goes_on(
    world, tmp_path, name, capsys, monkeypatch
):
    look = LOOKS["classification"][name]

    def fail(self, evaluation):
        raise OSError("no space left")

    monkeypatch.setattr(look, "look", fail)
    weights, _ = train(world, "classification", tmp_path, (name,), (), strict=False)
    lines = [line for line in capsys.readouterr().err.splitlines() if "no space left" in line]
    said = f"warning: look {look.__name__} failed and is left out: OSError('no space left')"
    assert lines == [said]
    assert len(weights) == 64
