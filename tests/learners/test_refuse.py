import pytest

from common.errors import KitError
from common.learners import detection, segmentation

MAKERS = {"segmentation": segmentation.make_learner, "detection": detection.make_learner}


@pytest.mark.parametrize("task", MAKERS)
@pytest.mark.parametrize(("key", "value"), [("train.class_weights", "balanced")])
def test_an_option_of_classifiers_is_refused_elsewhere(config, task, key, value):
    update = {"task": task, key: value}
    with pytest.raises(KitError, match=rf"expected {key}=.*for {task}.*take it out"):
        MAKERS[task](None, None, None, [], config.model_copy(update=update))
