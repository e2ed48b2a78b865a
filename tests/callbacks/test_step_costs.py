"""What a step shares or takes rarely is what it would be, taken each time."""

import random

import numpy as np
import pytest
import torch
from fastai.callback.training import GradientClip

from common.callbacks.anomaly import Anomalies, Reporter
from common.callbacks.anomaly import generators as states
from common.callbacks.anomaly.generators import RARELY, Generators, Random
from common.callbacks.clip import Clip
from common.callbacks.half_precision import HalfPrecision
from common.loggers.recording import RecordingLogger
from common.runs import hash_weights

from .anomaly_learners import config_of, learner_of


def draw(kind: str) -> None:
    {"python": random.random, "numpy": np.random.randn, "torch": lambda: torch.rand(()),
     "nothing": lambda: None}[kind]()  # fmt: skip


@pytest.mark.parametrize("kind", ["python", "numpy", "torch", "nothing"])
def test_a_state_taken_is_the_present_one(kind):
    generators = Generators()
    for _ in range(3 * RARELY):
        assert str(generators.take()) == str(Random.take())
        draw(kind)


def test_what_is_drawn_once_in_a_while_is_noticed():
    generators = Generators()
    for step in range(10 * RARELY):
        taken = generators.take()
        if step % (2 * RARELY) == 0:
            draw("numpy")
        if step % (2 * RARELY) == 2 * RARELY - 1:
            assert str(taken) == str(Random.take())


def test_generators_that_nobody_uses_are_hardly_read(monkeypatch):
    reads, read = [], states.of_host
    monkeypatch.setattr(states, "of_host", lambda: reads.append(1) or read())
    generators = Generators()
    for _ in range(100 * RARELY):
        generators.take()
    assert len(reads) < 120


@pytest.mark.parametrize("half", [[], ["bf16"]])
def test_clipping_is_torch_s_own_with_the_guard_and_without(half, tmp_path):
    config = config_of("classification")
    hashes = []
    for clip, guarded in ((GradientClip(0.1), False), (Clip(0.1), False), (Clip(0.1), True)):
        learner = learner_of(config)
        guard = Anomalies("raise", Reporter(config, RecordingLogger(), tmp_path))
        learner.add_cbs([clip, *map(HalfPrecision, half), *([guard] if guarded else [])])
        learner.fit(1)
        hashes.append(hash_weights(learner.model.state_dict()))
    unclipped = learner_of(config)
    unclipped.add_cbs(map(HalfPrecision, half))
    unclipped.fit(1)
    assert hashes[0] == hashes[1] == hashes[2] != hash_weights(unclipped.model.state_dict())


def test_with_the_guard_gradients_are_passed_over_once(monkeypatch, tmp_path):
    norms, norm = [], torch._foreach_norm
    monkeypatch.setattr(torch, "_foreach_norm", lambda tensors: norms.append(1) or norm(tensors))
    config = config_of("classification")
    learner = learner_of(config)
    guard = Anomalies("raise", Reporter(config, RecordingLogger(), tmp_path))
    learner.add_cbs([Clip(0.1), guard])
    learner.fit(1)
    assert len(norms) == learner.train_iter
