"""Heads and pooling by config: each trains, and its checkpoint predicts what validation saw."""

import numpy as np
import pandas as pd
import pytest

from common.checkpoints import load_checkpoint, save_checkpoint
from common.inference.classification import predict_classes

OPTIONS = {
    "gem": {"model.pool": "gem"},
    "masks": {"model.dropouts": 3, "model.drop_rate": 0.3},
    "arcface": {"model.head": "arcface", "model.subcentres": 2, "train.loss": {"focal": 1.0}},
}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_checkpoint_predicts_what_validation_saw(config, train, colours, name):
    config = config.model_copy(update={**OPTIONS[name], "train.epochs": 1})
    run = train(config, name)
    known = pd.read_parquet(run.oof_file).set_index("image_id")
    held_out = colours[colours.fold == 0]
    found = predict_classes([run.best()], held_out, num_workers=0).set_index("image_id")
    columns = [f"prob_{label}" for label in config.classes]
    np.testing.assert_allclose(
        found.to_numpy(), known.loc[found.index, columns].to_numpy(), atol=1e-5
    )


def test_an_older_checkpoint_without_these_keys_is_read(config, train, colours, tmp_path):
    run = train(config.model_copy(update={"train.epochs": 1}), "old")
    content = load_checkpoint(run.best())
    for part, keys in {
        "model": (
            "pool",
            "head",
            "dropouts",
            "margin",
            "scale",
            "subcentres",
            "checkpoint_gradients",
        ),
        "train": ("focal_gamma", "asymmetric_gamma", "class_weights", "layer_decay", "patience"),
        "data": ("sampler", "start_size"),
    }.items():
        for key in keys:
            del content["config"][part][key]
    save_checkpoint(tmp_path / "old.pt", content)
    held_out = colours[colours.fold == 0]
    old, new = (
        predict_classes([path], held_out, num_workers=0)
        for path in (tmp_path / "old.pt", run.best())
    )
    pd.testing.assert_frame_equal(old, new)
