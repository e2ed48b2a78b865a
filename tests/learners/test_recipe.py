"""Whole trainings: what they leave behind, how they stop and go on."""

import errno
import os
import signal

import numpy as np
import pandas as pd
import pytest

from common.callbacks.looks import LOOKS, make_looks
from common.checkpoints import load_checkpoint
from common.config import Config
from common.errors import KitError
from common.keys import IMAGE_ID, LABEL, LOSS
from common.loggers.recording import RecordingLogger
from common.metrics.base import Metric

from .conftest import SignalAt


def test_a_run_folder_holds_what_others_read(config, train):
    run = train(config.model_copy(update={"log.looks": "all"}), "whole")
    names = {path.name for path in run.folder.iterdir()}
    assert {
        "config.json",
        "environment.json",
        "metrics.jsonl",
        "checkpoints",
        "oof.parquet",
    } <= names
    assert {"figures", "report.html", "summary.json"} <= names
    summary = run.summary
    assert summary["status"] == "finished"
    assert summary["name"] == "colours/whole/fold0"
    assert set(summary["metrics"]) >= {"train/loss_epoch", "valid/loss", "valid/accuracy"}
    assert Config.read(run.config_file) == run.config


def test_out_of_fold_predictions_are_those_of_the_best_epoch(config, train):
    run = train(config.model_copy(update={"train.epochs": 3}), "oof")
    frame = pd.read_parquet(run.oof_file)
    truth = frame[LABEL].to_numpy()
    probabilities = frame[[f"prob_{name}" for name in config.classes]].to_numpy()
    accuracy = (probabilities.argmax(1) == truth).mean()
    assert accuracy == pytest.approx(run.summary["metrics"]["valid/accuracy"])
    assert frame[IMAGE_ID].is_unique
    np.testing.assert_allclose(
        frame[LOSS], -np.log(probabilities[np.arange(len(frame)), truth]), rtol=1e-4
    )


def test_the_checkpoint_alone_tells_how_to_predict(config, train):
    content = load_checkpoint(train(config, "facts").best())
    assert Config.model_validate(content["config"]) == config
    assert content["classes"] == list(config.classes)
    assert set(content["preprocessing"]) == {"mean", "std", "interpolation", "img_size"}
    assert "training" not in content


def falling(target, prediction):
    falling.value -= 1
    return float(falling.value)


def sometimes_nan(target, prediction):
    sometimes_nan.calls += 1
    return [0.5, float("nan"), 0.4][sometimes_nan.calls % 3 - 1]


def test_every_metric_keeps_its_best_in_its_direction_and_nan_never_wins(config, train):
    falling.value, sometimes_nan.calls = 10, 0
    metrics = [
        Metric("falling_up", falling),
        Metric("falling_down", falling, maximise=False),
        Metric("gappy", sometimes_nan),
        Metric("never", lambda target, prediction: float("nan")),
    ]
    run = train(config.model_copy(update={"train.epochs": 3}), "best", metrics=metrics)
    epochs = {
        name: load_checkpoint(run.best(name))["epoch"]
        for name in ("falling_up", "falling_down", "gappy")
    }
    assert epochs == {"falling_up": 1, "falling_down": 3, "gappy": 1}
    assert not run.best("never").exists()
    assert run.best("loss").exists()


def test_the_wandb_run_goes_on_under_its_id(config, train):
    config = config.model_copy(update={"log.loggers": ["wandb"]})
    run = train(config, "wandb", SignalAt(1))
    first = load_checkpoint(run.last)["training"]["loggers"]["wandb"]["run_id"]
    train(config, "wandb", resume=True)
    folders = sorted(path.name for path in (run.folder / "wandb").glob("offline-run-*"))
    assert len(folders) == 2
    assert all(first in name for name in folders)


def test_a_time_limit_stops_and_saves(config, train):
    run = train(config.model_copy(update={"train.time_limit": 1e-6}), "limited")
    assert run.status == "interrupted"
    assert run.summary["interrupted_by"] == "time limit of 1e-06 h"
    assert load_checkpoint(run.last)["training"]["batch"] == 1


def test_signals_are_ours_only_while_training(config, train):
    before = signal.getsignal(signal.SIGINT)
    train(config, "signals")
    assert signal.getsignal(signal.SIGINT) is before


def test_an_existing_run_is_never_overwritten(config, train):
    run = train(config, "kept")
    before = run.last.read_bytes()
    with pytest.raises(KitError, match=r"holds a run \(finished\).*--resume.*--name"):
        train(config, "kept")
    assert run.last.read_bytes() == before


def test_resuming_with_another_config_is_refused(config, train):
    train(config, "changed", SignalAt(1))
    with pytest.raises(KitError, match=r"train\.lr: 0\.003 -> 0\.1"):
        train(config.model_copy(update={"train.lr": 0.1}), "changed", resume=True)


def test_a_full_disk_costs_a_checkpoint_and_not_the_training(config, train, monkeypatch, capsys):
    real, calls = os.fsync, []

    def fsync(number):
        calls.append(number)
        if len(calls) == 5:  # a save in the first epoch; a file and its folder make two
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(number)

    monkeypatch.setattr(os, "fsync", fsync)
    run = train(config.model_copy(update={"train.epochs": 3}), "full")
    assert run.status == "finished"
    assert "No space left on device" in capsys.readouterr().err
    assert load_checkpoint(run.last)["training"]["epoch"] == 3
    assert not list(run.checkpoints.glob("*.partial"))


def test_a_disk_full_to_the_end_is_an_error_and_older_files_stay(config, train, monkeypatch):
    run = train(config, "end", SignalAt(4))
    before = run.last.read_bytes()

    def fsync(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(KitError, match="earlier file is untouched; free disk space"):
        train(config, "end", resume=True)
    assert run.last.read_bytes() == before
    assert run.status == "failed"


def test_a_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / "last.pt").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(KitError, match=r"readable checkpoint at '.*last\.pt'"):
        load_checkpoint(tmp_path / "last.pt")
    with pytest.raises(KitError, match="found none"):
        load_checkpoint(tmp_path / "nothing.pt")


def test_looks_log_the_worst_sample_first(config, learner_of, colours):
    logger = RecordingLogger()
    learner = learner_of(config)
    learner.fit_one_cycle(4, 1e-2)
    planted = 5
    learner.dls.valid.dataset.labels[planted] = (learner.dls.valid.dataset.labels[planted] + 1) % 3
    learner.add_cbs(make_looks(config.model_copy(update={"log.looks": "all"}), logger))
    learner.fit(1, 1e-6)
    rows = logger.of("table", "valid/extremes")[0]["rows"]
    worst = [row for row in rows if row["why"] == "worst"]
    assert worst[0]["image_id"] == learner.dls.valid.dataset.image_id(planted)
    assert [row["loss"] for row in worst] == sorted((row["loss"] for row in worst), reverse=True)
    assert worst[0]["image"].dtype == np.uint8


def test_a_failing_look_is_left_out_and_reported_once(config, train, monkeypatch, capsys):
    def look(self, evaluation):
        raise RuntimeError("no picture")

    monkeypatch.setattr(LOOKS["classification"]["confusion"], "look", look)
    config = config.model_copy(update={"log.looks": "all"})
    run = train(config.model_copy(update={"log.strict": False}), "look")
    assert run.status == "finished"
    assert capsys.readouterr().err.count("look Confusion failed") == 1
    with pytest.raises(RuntimeError, match="no picture"):
        train(config, "strict")


def test_an_unknown_look_gets_a_hint(config):
    with pytest.raises(KitError, match="did you mean 'confusion'"):
        make_looks(config.model_copy(update={"log.looks": ["confusoin"]}), RecordingLogger())


def test_steps_and_epochs_are_logged_on_one_axis(config, train):
    run = train(config, "log")
    rows = pd.read_json(run.folder / "metrics.jsonl", lines=True)
    steps = rows.dropna(subset="train/loss")
    assert steps.global_step.tolist() == list(range(1, 7))
    epochs = rows.dropna(subset="valid/loss")
    assert epochs.epoch.tolist() == [1, 2]
    assert epochs.global_step.tolist() == [3, 6]
    assert any(name.startswith("optimiser/lr") for name in rows)
    assert any("betas_0" in name for name in rows)  # one cycle moves momentum too
