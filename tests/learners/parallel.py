"""A small training that one process or several can do."""

import json

import pytest
import torch
from torch import nn

from common import distributed
from common.checkpoints import load_checkpoint
from common.config import Config, DataConfig, LogConfig, ModelConfig, TrainConfig
from common.data.build import fold_loaders
from common.environment import seed_everything
from common.learners.classification import make_learner
from common.learners.recipe import train_run
from common.metrics.choose import choose_metrics
from common.models.classifier import make_classifier
from common.runs import Run

CONFIG = Config(
    competition="colours",
    classes=("blue", "green", "red"),
    metric="accuracy",
    watch=("macro_f1",),
    data=DataConfig(img_size=32, augment="flip", num_workers=0, n_folds=3),
    # without batch norms, which see their part alone
    model=ModelConfig(name="test_vit", weights="none", arguments={"img_size": 32}),
    train=TrainConfig(
        epochs=2, batch_size=7, lr=3e-3, seed=7, ema_decay=0.9, accumulate=2, clip_norm=1.0
    ),
    log=LogConfig(loggers=("local",), looks=("extremes", "label_issues"), strict=True, every=1),
)


def without_batch_norms(model: nn.Module) -> nn.Module:
    """Put group norms in their place: a batch norm sees its process's part alone."""
    for module in list(model.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                act = getattr(child, "act", nn.Identity())  # timm's do both
                group = nn.GroupNorm(1, child.num_features)
                setattr(module, name, nn.Sequential(group, act))
    return model


def train(config: Config, colours, folder, callbacks=(), resume=False) -> dict:
    with distributed.joined():
        run = Run(folder)
        if distributed.is_first():
            Run.create(folder, config, resume)
        seed_everything(config.train.seed)
        loaders = fold_loaders(colours, 0, config)
        metrics = choose_metrics(config)
        learner = make_learner(make_classifier(config), *loaders, metrics, config)
        learner.add_cbs(callbacks)
        return train_run(learner, config, run, metrics, distributed.from_first(resume))


def assert_equal_weights(one: Run, two: Run, atol: float = 1e-5) -> None:
    first, second = (load_checkpoint(run.last)["weights"] for run in (one, two))
    for name in first:
        torch.testing.assert_close(first[name], second[name], rtol=1e-3, atol=atol)


def assert_equal_lines(one: Run, two: Run) -> int:
    """Compare all that was logged; return how many steps there were."""
    first, second = (
        [json.loads(line) for line in (run.folder / "metrics.jsonl").read_text().splitlines()]
        for run in (one, two)
    )
    assert len(first) == len(second)
    for alone, together in zip(first, second, strict=True):
        assert alone.keys() == together.keys()
        for name in (name for name in alone if not name.startswith("time")):
            assert together[name] == pytest.approx(alone[name], rel=1e-3, abs=1e-5), name
    return sum("train/loss" in line for line in second)
