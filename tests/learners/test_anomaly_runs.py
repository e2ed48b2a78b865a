"""A whole run that meets a step that is not finite: it stops, says so, and goes on."""

from functools import partial

import pytest
import torch
from fastai.callback.core import Callback as FastaiCallback

from common.callbacks import anomaly
from common.callbacks.anomaly import Anomalies
from common.callbacks.mix import Mix
from common.environment import seed_everything
from common.keys import IMAGE
from common.learners.recipe import train_run
from common.metrics.choose import choose_metrics
from common.runs import Run

RICH = {
    "train.mixup": 0.4,
    "train.ema_decay": 0.9,
    "train.freeze_epochs": 1,
    "model.drop_rate": 0.3,
    "data.augment": "medium",
    "train.deterministic": True,
}


class PoisonAt(FastaiCallback):
    """Breaks one pixel of a training batch, as a bug that is mended later would."""

    order, run_valid = Mix.order + 1, False

    def __init__(self, batch: int) -> None:
        self.at = batch

    def before_batch(self):
        if self.learn.train_iter == self.at:
            image = self.learn.batch[IMAGE].float()
            image[1, 0, 3, 3] = torch.nan
            self.learn.set_batch({**self.learn.batch, IMAGE: image})


@pytest.mark.parametrize(
    ("update", "poisoned", "goes_on_at"),
    [
        ({}, 4, 1),
        ({"train.amp": "fp16"}, 4, 1),
        ({"train.accumulate": 2}, 4, 0),  # the first batch of the step, 3 batches an epoch
        ({"train.ema_decay": 0.0}, 4, 1),  # on a GPU the host would learn of it in the next batch
        ({"train.ema_decay": 0.0, "train.accumulate": 2}, 4, 0),
    ],
)
def test_a_stopped_run_goes_on_to_the_same_bits(
    config, learner_of, tmp_path, monkeypatch, update, poisoned, goes_on_at
):
    gated = partial(Anomalies, gated="train.ema_decay" in update)
    monkeypatch.setattr(anomaly, "Anomalies", gated)
    config = config.model_copy(update={**RICH, **update})

    def train(name: str, *callbacks, resume: bool = False) -> Run:
        run = Run.create(tmp_path / "colours" / name / "fold0", config, resume)
        seed_everything(config.train.seed, config.train.deterministic)
        learner = learner_of(config)
        learner.add_cbs(callbacks)
        train_run(learner, config, run, choose_metrics(config), resume)
        return run

    straight = train("straight")
    stopped = train("stopped", PoisonAt(poisoned))
    assert stopped.status == "interrupted"
    assert stopped.summary["interrupted_by"].startswith("anomaly: the loss is NaN")
    assert (stopped.folder / "anomalies" / f"step{poisoned + 1}" / "batch.pt").exists()
    state = torch.load(stopped.last, weights_only=True)["training"]
    assert (state["epoch"], state["batch"]) == (1, goes_on_at)
    assert train("stopped", resume=True).status == "finished"
    assert stopped.summary["weights_sha256"] == straight.summary["weights_sha256"]
    ours, theirs = (
        torch.load(run.last, weights_only=True)["weights"] for run in (stopped, straight)
    )
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


def test_the_policy_may_change_when_a_run_goes_on(config, learner_of, tmp_path):
    for policy, resume, status in (("stop", False, "interrupted"), ("skip", True, "finished")):
        config = config.model_copy(update={"train.anomaly": policy})
        run = Run.create(tmp_path / "colours" / "run" / "fold0", config, resume)
        learner = learner_of(config)
        learner.add_cb(PoisonAt(4))
        train_run(learner, config, run, choose_metrics(config), resume)
        assert run.status == status


def test_detection_and_the_guard_are_flags(config, learner_of, tmp_path):
    seen = []

    class Look(FastaiCallback):
        def before_fit(self):
            names = [type(callback).__name__ for callback in self.learn.cbs]
            seen.append((torch.is_anomaly_enabled(), "Anomalies" in names))

    for place, (detect, policy) in enumerate([(False, "stop"), (True, "off")]):
        update = {"train.detect_anomaly": detect, "train.anomaly": policy, "train.epochs": 1}
        changed = config.model_copy(update=update)
        learner = learner_of(changed)
        learner.add_cb(Look())
        run = Run.create(tmp_path / "colours" / f"run{place}" / "fold0", changed)
        train_run(learner, changed, run, choose_metrics(changed))
    assert seen == [(False, True), (True, False)]
    assert not torch.is_anomaly_enabled()
