import pytest

from common.errors import KitError
from common.learners import detection, segmentation
from common.learners.refuse import CLASSIFIERS_ONLY

MAKERS = {"segmentation": segmentation.make_learner, "detection": detection.make_learner}
VALUES = {
    "data.sampler": "sqrt",
    "data.start_size": 32,
    "train.class_weights": "balanced",
    "model.pool": "gem",
    "model.head": "arcface",
    "model.dropouts": 4,
    "train.layer_decay": 0.8,
    "model.checkpoint_gradients": True,
    "model.auxiliary": {"age": 1},
}


def test_every_option_of_classifiers_is_tried():
    assert set(VALUES) == set(CLASSIFIERS_ONLY)


@pytest.mark.parametrize("task", MAKERS)
@pytest.mark.parametrize(("key", "value"), VALUES.items())
def test_an_option_of_classifiers_is_refused_elsewhere(config, task, key, value):
    update = {"task": task, key: value}
    with pytest.raises(KitError, match=rf"expected {key}=.*for {task}.*take it out"):
        MAKERS[task](None, None, None, [], config.model_copy(update=update))
