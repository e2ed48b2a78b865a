"""Steps that are not finite: withheld, and traced to module, operation, line, term and sample."""

import json

import pytest

from common.callbacks.anomaly import Anomalies, Reporter
from common.callbacks.half_precision import HalfPrecision
from common.loggers.recording import RecordingLogger

from . import faults_of_boxes, faults_of_inputs, faults_of_losses, faults_of_masks  # noqa: F401 - FAULTS
from .anomaly_faults import FAULTS, Fault
from .anomaly_learners import N, States, assert_same, config_of, copies, learner_of


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_a_planted_fault_is_named_and_moves_nothing(fault: Fault, tmp_path, capsys) -> None:
    config = config_of(fault.task)
    learner, states, logger = learner_of(config), States(), RecordingLogger()
    fault.plant(learner)
    guard = Anomalies("stop", Reporter(config, logger, tmp_path))
    learner.add_cbs([guard, states, *([HalfPrecision("fp16")] if fault.amp else [])])
    learner.fit(1)

    assert learner.interrupted.startswith("anomaly: the ")
    report = json.loads((tmp_path / f"step{states.steps}" / "report.json").read_text())
    print(json.dumps(report, indent=1), capsys.readouterr().err)
    assert report["stage"] == fault.stage
    assert report["operation"] == fault.operation
    assert report["place"] == fault.place
    assert fault.code in report["code"]
    assert fault.term in report["terms"]
    assert fault.source in report["source"]
    rows = range(N) if fault.rows is None else fault.rows
    first = N * (states.steps - 1)
    assert report["image_ids"] == [f"s{first + row}" for row in rows]

    assert_same(learner.model.state_dict(), states.weights)
    optimiser = [copies(values) for values in learner.opt.opt.state.values()]
    assert len(optimiser) == len(states.optimiser)
    for after, before in zip(optimiser, states.optimiser, strict=True):
        assert_same(after, before)
