"""A small Learner on real image files, and whole trainings of it."""

import os
import signal
from pathlib import Path

import pandas as pd
import pytest
import torch
from fastai.callback.core import Callback as FastaiCallback

from common.config import Config
from common.data.build import fold_loaders
from common.environment import seed_everything
from common.learners.classification import ClassificationLearner, make_learner
from common.learners.recipe import train_run
from common.metrics.choose import choose_metrics
from common.models.classifier import make_classifier
from common.runs import Run


def make(config: Config, frame: pd.DataFrame) -> ClassificationLearner:
    torch.manual_seed(config.train.seed)
    train, valid = fold_loaders(frame, 0, config)
    metrics = choose_metrics(config)
    return make_learner(make_classifier(config), train, valid, metrics, config)


def train_in(
    folder: Path, frame: pd.DataFrame, config: Config, callbacks=(), metrics=(), resume=False
) -> Run:
    run = Run.create(folder, config, resume)
    seed_everything(config.train.seed, config.train.deterministic)
    learner = make(config, frame)
    learner.add_cbs(callbacks)
    chosen = [*choose_metrics(config), *metrics]
    for callback in learner.cbs:
        if hasattr(callback, "scored"):
            callback.scored = chosen
    train_run(learner, config, run, chosen, resume)
    return run


@pytest.fixture
def learner_of(colours):
    """Return a function from a config to a fresh, seeded Learner."""
    return lambda config: make(config, colours)


@pytest.fixture
def train(tmp_path, colours):
    """Return a function that trains a config in a named run folder; extra callbacks last."""

    def run_once(config: Config, name: str, *callbacks, metrics=(), resume: bool = False) -> Run:
        folder = tmp_path / "colours" / name / "fold0"
        return train_in(folder, colours, config, callbacks, metrics, resume)

    return run_once


class SignalAt(FastaiCallback):
    """Sends SIGINT to ourselves, as Ctrl-C does, at one training batch."""

    order = 1

    def __init__(self, batch: int) -> None:
        self.at = batch

    def before_batch(self):
        if self.learn.training and self.learn.train_iter == self.at:
            os.kill(os.getpid(), signal.SIGINT)
