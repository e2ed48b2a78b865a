"""Names in a config become metrics of its task."""

import pytest

from common.config import Config
from common.errors import KitError
from common.metrics.base import Metric
from common.metrics.choose import KNOWN, choose_metrics


def config(task: str, metric: str, *watch: str) -> Config:
    target = {"target": task, "task": "classification"} if task == "regression" else {"task": task}
    return Config(competition="x", classes=("a",), metric=metric, watch=watch, **target)


@pytest.mark.parametrize("task", KNOWN)
def test_every_metric_of_a_task_is_found_under_its_own_name(task) -> None:
    names = list(KNOWN[task])
    assert [metric.name for metric in choose_metrics(config(task, *names))] == names


def test_a_misspelt_metric_gets_a_hint() -> None:
    with pytest.raises(KitError, match="did you mean 'macro_f1'"):
        choose_metrics(config("classification", "accuracy", "macrof1"))


def test_objects_are_scored_elsewhere() -> None:
    with pytest.raises(KitError, match="got 'instance_ap'; kit oof --parts scores objects"):
        choose_metrics(config("segmentation", "instance_ap"))


def test_a_metric_of_another_task_is_refused() -> None:
    with pytest.raises(KitError, match="expected the name of a detection metric, got 'accuracy'"):
        choose_metrics(config("detection", "accuracy"))


def test_a_competitions_own_metric_comes_before_a_usual_one_and_none_comes_twice() -> None:
    own = Metric("accuracy", lambda target, prediction: 0.5)
    chosen = choose_metrics(config("classification", "accuracy", "log_loss", "accuracy"), [own])
    assert chosen == [own, KNOWN["classification"]["log_loss"]]
