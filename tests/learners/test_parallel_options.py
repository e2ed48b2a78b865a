"""Averages, torch's detection of NaN and few images to validate: of several processes as of one."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from common import distributed
from common.callbacks.norms import recompute_norms
from common.data.build import fold_loaders
from common.data.loaders import set_epoch, whole_batches
from common.models.classifier import make_classifier
from common.runs import Run

from ..several import together
from .parallel import CONFIG, assert_equal_lines, assert_equal_weights, train
from .test_parallel_trouble import SMALL, At, assert_alike, weights_after

ALONE = {"log.looks": "none", "data.augment": "none"}


def norms(colours, config) -> dict[str, torch.Tensor]:
    with distributed.joined():
        torch.manual_seed(3)
        model = make_classifier(config)
        loader, _ = fold_loaders(colours, 0, config)
        set_epoch(loader, 1)
        with whole_batches(loader) as batches:
            recompute_norms(model, batches, torch.device("cpu"))
        return model.state_dict()


@pytest.mark.parametrize("count", [2, 4])
def test_statistics_of_norms_are_those_of_one_process(colours, count):
    config = SMALL.model_copy(update={"train.batch_size": 7})  # 3 batches: the fourth has none
    one = norms(colours, config)
    assert any(isinstance(m, nn.BatchNorm2d) for m in make_classifier(config).modules())
    for found in together(count, norms, colours, config):
        for name, value in one.items():
            torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)


def test_swa_and_detection_train_as_one_process_does(colours, tmp_path):
    some = {"train.ema_decay": 0, "train.swa_start": 0.3, "train.detect_anomaly": True}
    config = CONFIG.model_copy(update={**ALONE, **some})
    one, two = (Run(tmp_path / "x" / name / "fold0") for name in ("one", "two"))
    train(config, colours, one.folder)
    together(2, train, config, colours, two.folder)
    assert_equal_weights(one, two, atol=1e-4)
    assert assert_equal_lines(one, two) == 6


class Spoil(torch.autograd.Function):
    """The identity, whose gradient is not a number."""

    @staticmethod
    def forward(context, value):
        return value.clone()

    @staticmethod
    def backward(context, gradient):
        return gradient * torch.nan


def spoil(learn):
    step = learn.train_iter, learn.train_iter + 1  # its batches
    *_, head = (module for module in learn.model.modules() if isinstance(module, nn.Linear))
    head.register_forward_hook(
        lambda module, inputs, output: Spoil.apply(output) if learn.train_iter in step else output
    )


def test_what_the_detection_finds_in_one_process_is_left_out_by_all(colours, tmp_path):
    update = {"train.anomaly": "skip", "train.detect_anomaly": True}
    folder = tmp_path / "x" / "skip" / "fold0"
    config = SMALL.model_copy(update=update)
    results = together(2, weights_after, config, colours, folder, [At(4, spoil)], False)
    assert [summary["status"] for summary, _ in results] == ["finished"] * 2
    assert_alike(results)
    assert all(value.isfinite().all() for value in results[0][1].values())
    (report,) = (folder / "anomalies").iterdir()
    assert report.name == "step5"  # the first of the two batches
    told = json.loads((report / "report.json").read_text())
    assert (told["stage"], told["kind"]) == ("backward", "NaN")


@pytest.mark.parametrize("images", [1, 2, 3])
def test_fewer_validation_images_than_processes(colours, tmp_path, images):
    own = colours[colours.fold == 0].head(images)
    frame = pd.concat([own, colours[colours.fold != 0]], ignore_index=True)
    config = CONFIG.model_copy(update={"train.epochs": 1, "log.looks": "all"})
    one, four = (Run(tmp_path / "x" / name / "fold0") for name in ("one", "four"))
    train(config, frame, one.folder)
    summaries = together(4, train, config, frame, four.folder)
    assert [summary["status"] for summary in summaries] == ["finished"] * 4
    assert_equal_lines(one, four)
    first, second = (pd.read_parquet(run.oof_file) for run in (one, four))
    assert len(second) == images
    pd.testing.assert_frame_equal(first, second, rtol=1e-3, atol=1e-5)
    names = [{path.name for path in (run.folder / "figures").iterdir()} for run in (one, four)]
    assert names[0] == names[1]
    assert np.isfinite(summaries[0]["metrics"]["valid/loss"])
