"""Training stops where it does not get better, also when it is cut into sessions."""

import pytest

from common.checkpoints import load_checkpoint
from common.metrics.base import Metric
from common.metrics.choose import KNOWN

from .conftest import SignalAt

BATCHES = 3  # of an epoch


@pytest.fixture
def planned(config, monkeypatch):
    """Return a function from values of the metric, one an epoch, to a config that watches it."""

    def plan(values, maximise=True, **update):
        left = iter(values)
        metric = Metric("planned", lambda target, prediction: next(left), maximise)
        monkeypatch.setitem(KNOWN["classification"], "planned", metric)
        changes = {"metric": "planned", "train.epochs": len(values), "train.deterministic": True}
        return config.model_copy(
            update=changes | {f"train.{key}": value for key, value in update.items()}
        )

    return plan


def epochs_of(run) -> int:
    return load_checkpoint(run.last)["training"]["epoch"]


@pytest.mark.parametrize(
    ("values", "patience", "maximise", "expected"),
    [
        ([0.1, 0.3, 0.2, 0.3, 0.9], 2, True, 4),  # as good is not better
        ([0.1, 0.3, 0.2, 0.4, 0.3, 0.3, 0.9], 2, True, 6),
        ([0.5, 0.3, 0.4, 0.4, 0.1], 2, False, 4),
        ([0.1, 0.3, 0.2, 0.2], 0, True, 4),
        ([float("nan")] * 3, 2, True, 2),
        ([0.3, 0.2, 0.1], 2, True, 3),
    ],
)
def test_it_stops_after_so_many_epochs_without_a_better_one(
    planned, train, values, patience, maximise, expected, capsys
):
    run = train(planned(values, maximise, patience=patience), "stopped")
    assert epochs_of(run) == expected
    assert run.status == "finished"
    stopped = expected < len(values)
    assert ("train.patience" in capsys.readouterr().out) == stopped
    if not any(value != value for value in values):
        best = (max if maximise else min)(values[:expected])
        assert run.summary["metrics"]["valid/planned"] == best
        assert run.summary["best_epoch"] == values.index(best) + 1


def test_epochs_of_the_head_alone_do_not_count(planned, train):
    config = planned([0.9, 0.1, 0.1, 0.1, 0.1], patience=2, freeze_epochs=2)
    run = train(config.model_copy(update={"train.epochs": 3}), "frozen")
    assert epochs_of(run) == 4


@pytest.mark.parametrize("batch", [2 * BATCHES, 4 * BATCHES - 1])
def test_a_run_that_goes_on_stops_where_it_would_have(planned, train, batch):
    values = [0.1, 0.3, 0.2, 0.2, 0.9, 0.9]
    straight = train(planned(values, patience=2), "straight")
    config = planned(values, patience=2)
    assert train(config, "cut", SignalAt(batch)).status == "interrupted"
    resumed = train(config, "cut", resume=True)
    assert epochs_of(resumed) == epochs_of(straight) == 4
    for key in ("weights_sha256", "best_epoch", "status"):
        assert resumed.summary[key] == straight.summary[key]


def test_patience_changes_no_bit_before_it_ends(planned, train):
    values = [0.1, 0.2, 0.3]
    first, second = (train(planned(values, patience=p), f"p{p}") for p in (0, 2))
    assert first.summary["weights_sha256"] == second.summary["weights_sha256"]
