"""Two processes train, validate and log what one would."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from common import distributed
from common.callbacks.parallel import seed_step
from common.checkpoints import load_checkpoint
from common.errors import KitError
from common.runs import Run

from ..several import together
from .parallel import CONFIG, train


@pytest.fixture(scope="module")
def both(colours, tmp_path_factory) -> tuple[Run, Run]:
    """The same training by one process and by two."""
    root = tmp_path_factory.mktemp("runs") / "colours"
    one, two = Run(root / "one" / "fold0"), Run(root / "two" / "fold0")
    train(CONFIG, colours, one.folder)
    summaries = together(2, train, CONFIG, colours, two.folder)
    assert [summary["status"] for summary in summaries] == ["finished"] * 2
    return one, two


def lines(run: Run) -> list[dict]:
    text = (run.folder / "metrics.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def table(run: Run, name: str) -> pd.DataFrame:
    return pd.read_parquet(run.folder / "figures" / f"{name}.parquet")


def test_weights_are_those_of_one_process(both):
    one, two = (load_checkpoint(run.last)["weights"] for run in both)
    for name in one:
        torch.testing.assert_close(one[name], two[name], rtol=1e-3, atol=1e-5)


def test_every_logged_number_is_that_of_one_process_and_logged_once(both):
    one, two = map(lines, both)
    assert len(one) == len(two)
    assert sum("train/loss" in line for line in two) == 6  # 24 samples, batches of 7, 2 epochs
    for alone, together_ in zip(one, two, strict=True):
        assert alone.keys() == together_.keys()
        for name in alone.keys() - {"time"}:
            assert together_[name] == pytest.approx(alone[name], rel=1e-3, abs=1e-5), name
    scores = [run.summary["metrics"] for run in both]
    assert scores[0] == pytest.approx(scores[1], rel=1e-3, abs=1e-5)


def test_the_out_of_fold_file_is_that_of_one_process(both):
    one, two = (pd.read_parquet(run.oof_file) for run in both)
    pd.testing.assert_frame_equal(one, two, rtol=1e-3, atol=1e-5)
    assert len(two) == 12


@pytest.mark.parametrize("split", ["train", "valid"])
def test_best_and_worst_are_those_of_one_process(both, split):
    for epoch in (1, 2):
        one, two = (table(run, f"{split}_extremes_epoch{epoch}") for run in both)
        columns = ["image_id", "why", "truth"]
        pd.testing.assert_frame_equal(one[columns], two[columns])
        np.testing.assert_allclose(one["loss"], two["loss"], rtol=1e-3)


def test_training_losses_and_label_issues_are_those_of_one_process(both):
    one, two = (pd.read_parquet(run.train_losses_file) for run in both)
    pd.testing.assert_frame_equal(one, two, rtol=1e-3, atol=1e-5)
    one, two = (pd.read_csv(run.label_issues_file) for run in both)
    pd.testing.assert_frame_equal(one, two, rtol=1e-3, atol=1e-4)


def test_each_process_draws_its_own_and_the_same_again():
    def drawn(*key: int) -> list[float]:
        seed_step(*key)
        return torch.rand(3).tolist()

    keys = [(7, 1, 0), (7, 2, 0), (7, 1, 1), (8, 1, 0)]
    state = torch.get_rng_state()
    found = [tuple(drawn(*key)) for key in keys]
    assert len(set(found)) == 4
    assert [tuple(drawn(*key)) for key in keys] == found
    torch.set_rng_state(state)


def refusals(colours, folder) -> list[str]:
    def told(update: dict) -> str:
        with pytest.raises(KitError) as error:
            train(CONFIG.model_copy(update=update), colours, folder / str(len(update)))
        return str(error.value)

    with distributed.joined():
        some = {"train.swa_start": 0.5, "log.k": 4, "log.every": 1}
        return [
            told({"train.sync_bn": True}),
            told({"train.detect_anomaly": True, "log.k": 4}),
            told(some),
        ]


def test_what_several_processes_cannot_do_is_one_line(colours, tmp_path):
    for bn, detection, swa in together(2, refusals, colours, tmp_path):
        assert "expected GPUs for train.sync_bn=true with several processes, got cpu" in bn
        assert "expected train.detect_anomaly=false with several processes" in detection
        assert "expected train.swa_start=0 with several processes" in swa
