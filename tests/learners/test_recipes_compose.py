"""All options of a classifier's training at once: they train, resume exactly, and predict."""

import numpy as np
import pandas as pd
import pytest

from common.inference.classification import predict_classes

from .conftest import SignalAt

ALL = {
    "data.sampler": "balanced",
    "data.img_size": 64,
    "data.start_size": 32,
    "data.augment": "medium",
    "model.pool": "gem",
    "model.head": "arcface",
    "model.subcentres": 2,
    "model.dropouts": 3,
    "model.drop_rate": 0.2,
    "model.checkpoint_gradients": True,
    "train.loss": {"cross_entropy": 0.5, "focal": 1.0},
    "train.label_smoothing": 0.1,
    "train.class_weights": "balanced",
    "train.layer_decay": 0.8,
    "train.freeze_epochs": 1,
    "train.ema_decay": 0.9,
    "train.patience": 2,
    "train.schedule": "cosine",
    "train.deterministic": True,
}
OTHERS = {  # of which those above leave no room for some
    "data.sampler": "sqrt",
    "model.auxiliary": {"fold": 3},
    "model.pool": "avgmax",
    "model.channels_last": True,
    "model.checkpoint_gradients": True,
    "train.schedule": "flat_cosine",
    "train.optimiser": "lookahead_adamw",
    "train.body_lr_factor": 0.3,
    "train.mixup": 0.4,
    "train.cutmix": 1.0,
    "train.accumulate": 2,
    "train.clip_norm": 1.0,
    "train.swa_start": 0.4,
    "train.swa_lr": 0.5,
    "train.keep_best": 2,
    "train.deterministic": True,
}


@pytest.mark.parametrize("options", [ALL, OTHERS], ids=["all", "others"])
def test_all_options_train_together_resume_to_the_bit_and_predict(config, train, colours, options):
    config = config.model_copy(update=options)
    straight = train(config, "straight")
    train(config, "cut", SignalAt(4))
    resumed = train(config, "cut", resume=True)
    assert straight.status == resumed.status == "finished"
    assert resumed.summary["weights_sha256"] == straight.summary["weights_sha256"]
    known = pd.read_parquet(straight.oof_file).set_index("image_id")
    found = predict_classes([straight.best()], colours[colours.fold == 0], num_workers=0)
    found = found.set_index("image_id")
    expected = known.loc[found.index, [f"prob_{name}" for name in config.classes]]
    np.testing.assert_allclose(found.to_numpy(), expected.to_numpy(), atol=1e-4)
