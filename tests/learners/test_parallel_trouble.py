"""What happens to one process happens to all: they stop, skip and go on as one."""

import json
import os
import signal

import torch
from fastai.callback.core import Callback as FastaiCallback

from common import distributed
from common.callbacks.mix import Mix
from common.checkpoints import load_checkpoint
from common.errors import KitError
from common.keys import IMAGE
from common.runs import Run

from ..several import together
from .parallel import CONFIG, train

SMALL = CONFIG.model_copy(
    update={
        "model.name": "test_resnet",
        "model.arguments": {},
        "train.batch_size": 6,
        "log.looks": "none",
        "train.epochs": 2,
        "train.freeze_epochs": 1,
        "train.mixup": 0.4,
    }
)  # 4 batches an epoch, steps of 2


class At(FastaiCallback):
    """Does something in one process, before one training batch."""

    order, run_valid = Mix.order + 1, False

    def __init__(self, batch: int, act, rank: int = 1) -> None:
        self.at, self.act, self.who = batch, act, rank

    def before_batch(self):
        if self.learn.train_iter == self.at and distributed.rank() == self.who:
            self.act(self.learn)


def poison(learn):
    image = learn.batch[IMAGE].float()
    image[1, 0, 3, 3] = torch.nan
    learn.set_batch({**learn.batch, IMAGE: image})


def raise_error(learn):
    raise RuntimeError("planted in the second process")


def interrupt(learn):
    for _ in range(2):  # a cluster tells every process, and so does torchrun
        os.kill(os.getpid(), signal.SIGTERM)


def weights_after(config, colours, folder, *arguments):
    """Train, and return the summary with this process's own weights."""
    kept = {}

    class Keep(FastaiCallback):
        def after_fit(self):
            kept.update({k: v.clone() for k, v in self.learn.model.state_dict().items()})

    callbacks, resume = arguments
    summary = train(config, colours, folder, [*callbacks, Keep()], resume)
    return summary, kept


def assert_alike(results, but: str = "nothing"):
    (_, first), *others = results
    for _, kept in others:
        for name, value in first.items():
            assert torch.equal(value, kept[name]) or but in name, name


def test_a_nan_of_one_process_is_left_out_by_all_and_told_once(colours, tmp_path):
    config = SMALL.model_copy(update={"train.anomaly": "skip"})
    folder = tmp_path / "x" / "skip" / "fold0"
    results = together(2, weights_after, config, colours, folder, [At(5, poison)], False)
    assert [summary["status"] for summary, _ in results] == ["finished"] * 2
    assert_alike(results)
    assert all(value.isfinite().all() for value in results[0][1].values())
    (report,) = (folder / "anomalies").iterdir()
    told = json.loads((report / "report.json").read_text())
    assert report.name == "step6"
    assert told["source"] == "'image' of the batch"
    batch = torch.load(report / "batch.pt", weights_only=False)["batch"]
    assert told["image_ids"] == [batch["image_id"][1]]
    assert len(batch["image_id"]) == 3  # the part of the one that had it


def test_a_signal_to_one_process_stops_all_at_one_step_and_three_go_on(colours, tmp_path):
    folder = tmp_path / "x" / "signal" / "fold0"
    results = together(2, weights_after, SMALL, colours, folder, [At(4, interrupt)], False)
    assert [summary["interrupted_by"] for summary, _ in results] == ["SIGTERM"] * 2
    assert_alike(results, but="running")  # of batch norms: the first's count, from epoch to epoch
    training = load_checkpoint(Run(folder).last)["training"]
    assert (training["epoch"], training["batch"]) == (1, 2)  # the step was half done
    assert not training["gradients"]
    results = together(3, weights_after, SMALL, colours, folder, [], True)
    assert [summary["status"] for summary, _ in results] == ["finished"] * 3
    assert_alike(results)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    steps = [line["global_step"] for line in lines if "train/loss" in line]
    assert steps == list(range(1, 13))


def test_a_process_that_dies_ends_all_and_one_alone_goes_on(colours, tmp_path):
    folder = tmp_path / "x" / "dead" / "fold0"
    config = SMALL.model_copy(update={"train.save_minutes": 1e-6})
    left, died = together(2, weights_after, config, colours, folder, [At(7, raise_error)], False)
    assert "planted" in str(died)
    assert isinstance(left, KitError)
    run = Run(folder)
    assert run.status == "failed"
    training = load_checkpoint(run.last)["training"]
    assert (training["epoch"], training["batch"]) == (1, 2)
    summary, _ = weights_after(config, colours, folder, [], True)
    assert summary["status"] == "finished"
