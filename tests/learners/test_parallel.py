"""Two processes train, validate and log what one would."""

import numpy as np
import pandas as pd
import pytest
import torch

from common import distributed
from common.callbacks.parallel import seed_step
from common.errors import KitError
from common.runs import Run

from ..several import together
from .parallel import CONFIG, assert_equal_lines, assert_equal_weights, train


@pytest.fixture(scope="module")
def both(colours, tmp_path_factory) -> tuple[Run, Run]:
    """The same training by one process and by two."""
    root = tmp_path_factory.mktemp("runs") / "colours"
    one, two = Run(root / "one" / "fold0"), Run(root / "two" / "fold0")
    train(CONFIG, colours, one.folder)
    summaries = together(2, train, CONFIG, colours, two.folder)
    assert [summary["status"] for summary in summaries] == ["finished"] * 2
    return one, two


def table(run: Run, name: str) -> pd.DataFrame:
    return pd.read_parquet(run.folder / "figures" / f"{name}.parquet")


def test_weights_are_those_of_one_process(both):
    assert_equal_weights(*both)


def test_every_logged_number_is_that_of_one_process_and_logged_once(both):
    steps = assert_equal_lines(*both)
    assert steps == 6  # 24 samples, batches of 7, 2 epochs
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


def refusal(colours, folder) -> str:
    with distributed.joined(), pytest.raises(KitError) as error:
        train(CONFIG.model_copy(update={"train.sync_bn": True}), colours, folder)
    return str(error.value)


def test_what_several_processes_cannot_do_is_one_line(colours, tmp_path):
    for told in together(2, refusal, colours, tmp_path):
        assert "expected GPUs for train.sync_bn=true with several processes, got cpu" in told
