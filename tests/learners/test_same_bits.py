"""Whole trainings that must end in the same bits: twice, watched, and stopped on the way."""

import pytest

from common.checkpoints import load_checkpoint
from common.config import Config
from common.runs import Run, hash_weights

from .conftest import SignalAt, train_in

RICH = {  # everything that has a state of its own
    "train.mixup": 0.4,
    "train.ema_decay": 0.9,
    "train.amp": "fp16",
    "train.freeze_epochs": 1,
    "train.epochs": 3,
    "model.drop_rate": 0.3,
    "data.augment": "medium",
    "data.sampler": "sqrt",
    "train.deterministic": True,
}


@pytest.fixture
def rich(config) -> Config:
    return config.model_copy(update=RICH)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Holds the one run that all others are compared with, once it is there."""
    return tmp_path_factory.mktemp("kept") / "colours" / "straight" / "fold0"


@pytest.fixture
def straight(kept, rich, colours) -> Run:
    """A run that nothing watches and nobody stops."""
    unseen = rich.model_copy(update={"log.looks": "none", "log.loggers": []})
    return Run(kept) if kept.exists() else train_in(kept, colours, unseen)


def test_two_runs_are_bit_identical(rich, train, straight):
    assert train(rich, "again").summary["weights_sha256"] == straight.summary["weights_sha256"]


def test_looks_and_loggers_change_no_bit(rich, train, straight):
    loggers = ["wandb", "tensorboard", "local"]
    watched = train(rich.model_copy(update={"log.looks": "all", "log.loggers": loggers}), "watched")
    assert watched.summary["weights_sha256"] == straight.summary["weights_sha256"]


@pytest.mark.parametrize("batch", [3, 4, 6, 7])  # 3 batches an epoch: between epochs and within
def test_ctrl_c_saves_and_resuming_ends_in_the_same_bits(rich, train, straight, batch, capsys):
    broken = train(rich, "broken", SignalAt(batch))
    assert broken.status == "interrupted"
    assert broken.summary["interrupted_by"] == "SIGINT"
    resumed = train(rich, "broken", resume=True)
    assert resumed.status == "finished"
    assert resumed.summary["weights_sha256"] == straight.summary["weights_sha256"]
    ours, theirs = (load_checkpoint(run.last)["weights"] for run in (resumed, straight))
    assert hash_weights(ours) == hash_weights(theirs)
    assert resumed.summary["metrics"]["valid/loss"] == straight.summary["metrics"]["valid/loss"]
