"""What a guard against numbers that are not finite does to a training, and what it leaves alone."""

import json

import numpy as np
import pytest
import torch

from common.callbacks.accumulate import Accumulate
from common.callbacks.anomaly import Anomalies, Anomaly, Reporter
from common.callbacks.base import Callback
from common.callbacks.ema import Ema
from common.callbacks.half_precision import HalfPrecision
from common.callbacks.mix import Mix
from common.callbacks.record import Record
from common.checkpoints import load_checkpoint, random_state
from common.keys import IMAGE, INDEX, LABEL, LOGITS
from common.learners.recipe import technique_callbacks
from common.loggers.recording import RecordingLogger
from common.losses.terms import LossTerm
from common.runs import hash_weights

from .anomaly_faults import SICK, spoiled
from .anomaly_learners import BATCHES, N, States, assert_same, config_of, learner_of

RICH = {
    "train.ema_decay": 0.9,
    "train.clip_norm": 1.0,
    "train.accumulate": 2,
    "train.freeze_epochs": 1,
    "train.epochs": 2,
    "model.drop_rate": 0.3,
}


def guard(folder, policy="stop", config=None, logger=None, gated=None) -> Anomalies:
    logger = logger or RecordingLogger()
    return Anomalies(policy, Reporter(config or config_of("classification"), logger, folder), gated)


def nan_image(learner, number: int) -> None:
    """Put a NaN into the pixels of one sample of a batch."""
    batch = learner.batches[number]
    learner.batches[number] = {**batch, IMAGE: spoiled(batch[IMAGE].float(), float("nan"))}


def fit(config, *callbacks, epochs: int = 1, spoil: int | None = None):
    learner = learner_of(config)
    if spoil is not None:
        nan_image(learner, spoil)
    learner.add_cbs(callbacks)
    torch.manual_seed(1)
    learner.fit(epochs)
    return learner


class WideScale(Callback):
    """Lets fp16 begin with a loss scale at which gradients overflow."""

    order = HalfPrecision.order + 0.1

    def before_fit(self) -> None:
        self.learn.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)


@pytest.mark.parametrize(
    ("task", "update"),
    [
        ("classification", {**RICH, "train.mixup": 0.4, "train.amp": "fp16"}),
        ("classification", RICH),
        ("segmentation", {**RICH, "train.amp": "bf16"}),
        ("detection", {**RICH, "train.accumulate": 1}),
    ],
)
def test_a_healthy_training_raises_no_alarm_and_keeps_its_bits(task, update, tmp_path):
    config, hashes, skipped = config_of(task, **update), [], []
    gates = [guard(tmp_path / "anomalies", config=config, gated=gated) for gated in (False, True)]
    for guards in ([], *([one] for one in gates)):
        wide = [WideScale()] if config.train.amp == "fp16" else []
        callbacks = [*technique_callbacks(config), *wide, *guards]
        learner = fit(config, *callbacks, epochs=3)
        assert not learner.interrupted
        averages = [cb.weights() for cb in callbacks if isinstance(cb, Ema)]
        hashes.append([hash_weights(w) for w in (learner.model.state_dict(), *averages)])
        hashes[-1].append(str(random_state()))
        skipped += [cb.skipped_steps for cb in callbacks if isinstance(cb, HalfPrecision)]
    assert hashes[0] == hashes[1] == hashes[2]
    assert not (tmp_path / "anomalies").exists()
    if config.train.amp == "fp16":
        # so the replay at two and at four was finite
        assert skipped[0] == skipped[1] == skipped[2] >= 4


@pytest.mark.parametrize("gated", [False, True])
def test_a_skipped_step_is_as_if_the_batch_had_never_come(gated, tmp_path):
    config, logger = config_of("classification"), RecordingLogger()
    without = learner_of(config)
    del without.batches[1]
    without.fit(2)
    guarded = guard(tmp_path, "skip", logger=logger, gated=gated)
    record = Record(logger, 1)
    learner = learner_of(config)
    nan_image(learner, 1)
    learner.add_cbs([guarded, record])
    learner.fit(2)
    assert_same(learner.model.state_dict(), without.model.state_dict())
    assert guarded.count == 2
    assert logger.values("train/anomalies") == [(2, 1.0), (BATCHES + 2, 2.0)]
    losses = [row["train/loss_epoch"] for row in record.history]
    assert np.isfinite(losses).all()


@pytest.mark.parametrize("gated", [False, True])
def test_a_skipped_step_moves_no_average_and_draws_nothing(gated, tmp_path):
    config = config_of("classification", **{"model.drop_rate": 0.3})
    seen = []

    class After(Callback):
        order = 80

        def after_batch(self) -> None:
            seen.append(str(random_state()))

    fit(config, After(), spoil=1)
    plain, average = list(seen), Ema(0.9)
    seen.clear()

    class Before(Callback):
        order, run_valid = 12, False

        def before_batch(self) -> None:
            self.learn.averages = [hash_weights(average.weights()), *self.learn.averages]

    learner = learner_of(config)
    nan_image(learner, 1)
    learner.averages = []
    learner.add_cbs([After(), Before(), average, guard(tmp_path, "skip", gated=gated)])
    torch.manual_seed(1)
    learner.fit(1)
    assert seen == plain
    third, second, first = learner.averages
    assert third == second != first


def test_running_means_of_a_norm_keep_no_nan(tmp_path):
    learner = fit(config_of("classification"), guard(tmp_path, "skip"), spoil=1)
    buffers = dict(learner.model.named_buffers())
    assert all(torch.isfinite(value).all() for value in buffers.values())
    assert buffers["body.conv1.1.num_batches_tracked"] == BATCHES - 1


def test_the_bad_batch_of_an_accumulated_step_is_found(tmp_path):
    learner, states = learner_of(config_of("classification")), States()

    def bad(logits, index):
        return (logits.sum(1) * (index != N + 3)).abs().sqrt()

    learner.loss_func.terms.append(LossTerm(LOGITS, INDEX, bad, 1.0, "bad"))
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    learner.add_cbs([guard(tmp_path), states, Accumulate(2)])
    learner.fit(1)
    report = json.loads((tmp_path / "step2" / "report.json").read_text())
    assert report["image_ids"] == [f"s{N + 3}"]
    assert report["operation"] == "sqrt"
    assert_same(learner.model.state_dict(), before)  # running means of the first batch as well
    assert (learner.train_iter, learner.pct_train) == (0, 0)
    assert all(p.grad is None for p in learner.model.parameters())


def test_mixing_blames_the_sample_and_not_its_partner(tmp_path):
    fit(config_of("classification"), guard(tmp_path), Mix(0.4, 0, 3), spoil=1)
    report = json.loads((tmp_path / "step2" / "report.json").read_text())
    assert report["image_ids"] == [f"s{N + SICK}"]


def test_raise_raises_and_moves_nothing(tmp_path):
    learner, states = learner_of(config_of("classification")), States()
    nan_image(learner, 1)
    learner.add_cbs([guard(tmp_path, "raise"), states])
    with pytest.raises(Anomaly, match=r"step 2: the loss is NaN, first at sub in normalise \("):
        learner.fit(1)
    assert_same(learner.model.state_dict(), states.weights)


def test_fp16_with_a_lost_loss_stops_at_once(tmp_path):
    learner = fit(config_of("classification"), guard(tmp_path), HalfPrecision("fp16"), spoil=1)
    assert "the loss is NaN" in learner.interrupted
    assert learner.train_iter == 1


def test_what_never_gets_better_ends_though_it_should_be_skipped(tmp_path):
    learner = learner_of(config_of("classification"))
    learner.model.body.fc.weight.data[0, 0] = torch.inf
    guarded = guard(tmp_path, "skip")
    learner.add_cb(guarded)
    learner.fit(30)
    assert guarded.count == 20
    assert learner.interrupted.startswith("anomaly")


def test_torch_s_own_detection_is_met_by_the_policy(tmp_path):
    learner = learner_of(config_of("classification"))

    def bad(logits, label):
        x = logits.exp() * (label != 1)[:, None]
        return torch.where(x > 0, x.log(), 0.0).mean(1)

    learner.loss_func.terms.append(LossTerm(LOGITS, LABEL, bad, 1.0, "bad"))
    guarded = guard(tmp_path, "skip")
    learner.add_cb(guarded)
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    with torch.autograd.set_detect_anomaly(True):
        learner.fit(1)
        assert torch.is_anomaly_enabled()
    assert guarded.count == BATCHES
    assert_same(learner.model.state_dict(), before)
    report = json.loads((tmp_path / "step1" / "report.json").read_text())
    assert (report["operation"], report["terms"]) == ("log", ["bad"])


def test_the_batch_is_kept_and_shown_in_every_logger(tmp_path):
    logger = RecordingLogger()
    learner = fit(config_of("classification"), guard(tmp_path, logger=logger), spoil=1)
    content = load_checkpoint(tmp_path / "step2" / "batch.pt")  # with weights_only
    kept = content["batch"]
    torch.testing.assert_close(kept[IMAGE], learner.batches[1][IMAGE], equal_nan=True)
    assert content["torch_random"].dtype == torch.uint8
    assert "ANOMALY in step 2" in (tmp_path / "step2" / "report.txt").read_text()
    rows = logger.of("table", "train/anomaly")[0]["rows"]
    assert [row["why"] for row in rows] == ["not finite", *[""] * (N - 1)]
    assert rows[0]["image_id"] == f"s{N + SICK}"
    assert rows[0]["operation"] == "sub"
    assert np.isnan(rows[0]["loss_cross_entropy"])
    assert (rows[0]["image"] == (255, 0, 255)).all(2).sum() == 1  # the broken pixel
    picture = logger.of("image", "train/anomaly_batch")[0]
    assert picture["image"].dtype == np.uint8
    assert "normalise" in picture["caption"]


def test_a_report_that_cannot_be_written_or_shown_costs_no_training(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    config = config_of("classification", **{"log.strict": False})
    guarded = guard(tmp_path / "file", "skip", config)

    def broken(*arguments, **named):
        raise RuntimeError("no picture")

    guarded.reporter.logger.table = broken
    learner = fit(config, guarded, spoil=1)
    told = capsys.readouterr().err
    assert not learner.interrupted
    assert "the report is not kept" in told
    assert "not shown in loggers: RuntimeError('no picture')" in told


def test_a_replay_that_fails_still_withholds_the_step(tmp_path, monkeypatch, capsys):
    learner, states = learner_of(config_of("classification")), States()
    nan_image(learner, 1)
    learner.add_cbs([guard(tmp_path), states])

    def broken(self, moment):
        raise MemoryError("none left")

    monkeypatch.setattr("common.callbacks.anomaly.replay.Replay.find", broken)
    learner.fit(1)
    assert "the replay failed: MemoryError('none left')" in capsys.readouterr().err
    assert_same(learner.model.state_dict(), states.weights)
