"""Every schedule trains, and the rates that were logged are its own."""

import json
from typing import get_args

import pytest

from common.config import TrainConfig

NAMES = get_args(TrainConfig.model_fields["schedule"].annotation)
LR = "optimiser/lr_head_decayed"


@pytest.mark.parametrize("name", NAMES)
def test_a_schedule_trains_with_the_rates_that_it_says(config, train, name):
    update = {"train.schedule": name, "train.warmup": 0.25, "train.epochs": 3, "log.every": 1}
    config = config.model_copy(update=update)
    run = train(config, name)
    assert run.status == "finished"
    lines = map(json.loads, (run.folder / "metrics.jsonl").read_text().splitlines())
    logged = [line[LR] for line in lines if LR in line]
    assert len(logged) >= 8
    rates = [rate / config.train.lr for rate in logged]
    assert rates[0] < 0.5  # it warms up
    assert max(rates) == pytest.approx(1, abs=0.1)
    assert (rates[-1] == pytest.approx(1)) == (name == "constant")  # the others fall
