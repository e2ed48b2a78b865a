"""What breaks a training from outside: each is one line, and the state is kept."""

import errno
import os
import signal
from pathlib import Path

import pytest
import torch

from common.callbacks.base import Callback
from common.checkpoints import load_checkpoint
from common.data.dataset import ImageDataset
from common.errors import KitError
from common.keys import IMAGE
from common.run_lock import HELD, LOCK

from .conftest import SignalAt


class Memory(Callback):
    """A device that holds so many images, from some batch on."""

    order = 20

    def __init__(self, images: int, batch: int = 0) -> None:
        self.images, self.batch = images, batch

    def after_pred(self):
        if len(self.learn.batch[IMAGE]) > self.images and self.learn.train_iter >= self.batch:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")


def test_out_of_memory_names_the_batch_size_and_what_to_do(config, train):
    with pytest.raises(KitError) as caught:
        train(config, "memory", Memory(7, batch=4))
    line = str(caught.value)
    assert "\n" not in line
    for part in ("batch_size=8", "32 px", "train.halve_batch=true", "kept: epoch 1, batch 0"):
        assert part in line
    assert "train.batch_size=4 train.accumulate=2" in line
    run = train(config, "memory", resume=True)
    assert run.status == "finished"


@pytest.mark.parametrize("accumulate", [1, 2])
def test_halving_goes_on_with_the_same_steps(config, train, accumulate, capsys):
    handler = signal.getsignal(signal.SIGTERM)
    plain = {"train.accumulate": accumulate, "train.halve_batch": True, "train.epochs": 3}
    config = config.model_copy(update={**plain, "data.augment": "none"})
    run = train(config, "halved", Memory(4, batch=4))
    assert run.status == "finished"
    assert signal.getsignal(signal.SIGTERM) is handler
    steps = f"going on with 4 and {2 * accumulate} of them a step"
    assert steps in capsys.readouterr().err
    state = load_checkpoint(run.last)["training"]
    assert state["batch_size"] == 4
    steps = {int(row["step"]) for row in state["optimiser"]["state"].values()}
    assert steps == {9 if accumulate == 1 else 6}  # of three batches an epoch, as without
    longer = config.model_copy(update={"train.epochs": 4})
    resumed = train(longer, "halved", Memory(4), resume=True)
    assert resumed.status == "finished"
    assert load_checkpoint(run.last)["training"]["batch_size"] == 4


def test_two_images_that_do_not_fit_are_the_end(config, train):
    config = config.model_copy(update={"train.halve_batch": True})
    with pytest.raises(KitError, match=r"batch_size=2 .*; a smaller data\.img_size"):
        train(config, "hopeless", Memory(0))


def test_a_worker_that_dies_keeps_the_steps_before(config, train, monkeypatch):
    read = ImageDataset.raw

    def dies(self, index):
        if torch.utils.data.get_worker_info() and self.epoch == 1:
            os.kill(os.getpid(), signal.SIGKILL)  # as the system does when memory runs out
        return read(self, index)

    monkeypatch.setattr(ImageDataset, "raw", dies)
    config = config.model_copy(update={"data.num_workers": 2, "train.epochs": 3})
    with pytest.raises(KitError, match=r"worker.*kept: epoch 1, batch \d.*data\.num_workers=1"):
        train(config, "worker")
    monkeypatch.setattr(ImageDataset, "raw", read)
    quiet = config.model_copy(update={"data.num_workers": 0})
    run = train(quiet, "worker", resume=True)
    whole = train(quiet, "whole")
    assert run.summary["weights_sha256"] == whole.summary["weights_sha256"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_stop_within_a_validation_too(config, train, number):
    class Ask(Callback):
        order = 1

        def before_batch(self):
            if not self.learn.training and self.learn.epoch == 1:
                os.kill(os.getpid(), number)

    config = config.model_copy(update={"train.ema_decay": 0.9, "train.deterministic": True})
    run = train(config, "asked", Ask())
    assert run.status == "interrupted"
    assert run.summary["interrupted_by"] == signal.Signals(number).name
    training = load_checkpoint(run.last)["training"]
    assert (training["epoch"], training["batch"]) == (1, 3)
    resumed, whole = train(config, "asked", resume=True), train(config, "whole")
    assert resumed.summary["weights_sha256"] == whole.summary["weights_sha256"]
    assert resumed.summary["metrics"] == whole.summary["metrics"]


def test_a_read_only_folder_is_one_line_before_anything_is_trained(config, train, monkeypatch):
    def refuse(self, *args, **kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(self))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(KitError, match=r"Read-only file system; .*--runs or KIT_RUNS"):
        train(config, "readonly")


def test_a_folder_that_becomes_read_only_keeps_the_state(config, train, monkeypatch):
    replace = Path.replace

    def refuse(self, target):
        if refuse.on and str(target).endswith((".parquet", ".json", ".pt")):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(target))
        return replace(self, target)

    class Remount(Callback):
        order = 1

        def before_epoch(self):
            refuse.on = self.learn.epoch == 1

    refuse.on = False
    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(KitError, match="Read-only file system"):
        train(config, "remounted", Remount())
    monkeypatch.setattr(Path, "replace", replace)
    run = train(config, "remounted", resume=True)
    whole = train(config, "whole")
    assert run.summary["weights_sha256"] == whole.summary["weights_sha256"]


def test_a_run_lets_its_folder_go(config, train):
    run = train(config, "free", SignalAt(1))
    assert run.folder.resolve() / LOCK not in HELD
