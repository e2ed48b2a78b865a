"""torch.compile changes how fast a training is, and nothing that the kit promises of it.

The network is traced as for the real compiler; what was traced then runs as it is.
"""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from common.checkpoints import load_checkpoint
from common.inference.classification import predict_classes
from common.keys import IMAGE, LOGITS
from common.models import compiled
from common.models.cam import activation_maps
from common.models.cam_aims import aim_at_class
from common.models.classifier import make_classifier
from common.models.compiled import compile_model

from .conftest import SignalAt

CPU = torch.device("cpu")


@pytest.fixture
def graphs(monkeypatch):
    """Trace without a compiler; return the list of all graphs that are handed to it."""
    torch._dynamo.reset()
    found = []

    def backend(graph, inputs):
        found.append(graph)
        return graph.forward

    monkeypatch.setattr(compiled, "BACKEND", backend)
    yield found
    torch._dynamo.reset()


def test_a_compiled_training_keeps_all_promises(config, train, colours, graphs) -> None:
    looks = {"log.looks": ("gradients", "cam"), "log.gradients_every": 1, "data.img_size": 64}
    options = {"train.ema_decay": 0.9, "train.deterministic": True, "model.compile": True, **looks}
    fast = config.model_copy(update=options)
    straight = train(fast, "straight")
    assert len(graphs) == 2  # the trial, and the whole of a step; the running mean validates as is
    train(fast, "cut", SignalAt(4))
    resumed = train(fast, "cut", resume=True)
    assert resumed.summary["weights_sha256"] == straight.summary["weights_sha256"]
    weights = load_checkpoint(straight.best())["weights"]
    assert list(weights) == list(make_classifier(config).state_dict())
    figures = " ".join(path.name for path in straight.folder.glob("figures/*"))
    assert "activation" in figures
    assert "gradients" in figures
    known = pd.read_parquet(straight.oof_file).set_index("image_id")
    found = predict_classes([straight.best()], colours[colours.fold == 0]).set_index("image_id")
    expected = known.loc[found.index, [f"prob_{name}" for name in config.classes]]
    np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), atol=1e-5)


def test_maps_of_a_compiled_network_are_those_of_the_network(config, graphs) -> None:
    torch.manual_seed(0)
    model = make_classifier(config).eval()
    batch = {IMAGE: torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)}
    aim = aim_at_class([0, 1, 2, 0])
    logits, expected = model(batch)[LOGITS], activation_maps(model, batch, [aim])
    assert compile_model(model, CPU)
    torch.testing.assert_close(model(batch)[LOGITS], logits)
    assert len(graphs) > 1  # one is the trial's
    np.testing.assert_allclose(activation_maps(model, batch, [aim]), expected, atol=1e-5)


def test_without_a_compiler_one_line_says_so_and_training_goes_on(
    config, train, monkeypatch
) -> None:
    def backend(graph, inputs):
        raise RuntimeError("no g++ here")

    monkeypatch.setattr(compiled, "BACKEND", backend)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        run = train(config.model_copy(update={"model.compile": True}), "plain")
    said = [str(one.message) for one in told if "model.compile" in str(one.message)]
    assert len(said) == 1
    assert "no g++ here" in said[0]
    assert "\n" not in said[0]
    assert run.status == "finished"
