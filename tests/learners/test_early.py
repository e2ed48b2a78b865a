"""Slips in log.rank_by and log.breakdown are told before anything expensive."""

import pytest

from common.data import build, build_boxes, build_masks
from common.errors import KitError
from common.learners.early import check_ranking


@pytest.mark.parametrize(
    ("task", "known", "slip", "said"),
    [
        ("classification", ["loss", "cross_entropy"], "iou", "known: loss, cross_entropy"),
        ("segmentation", ["loss", "bce", "dice", "dice_stride_8", "iou"], "dise", "'dice'"),
        ("detection", ["loss", "classes", "score"], "scores", "did you mean 'score'"),
    ],
)
def test_a_slip_is_told_from_the_config_alone(config, task, known, slip, said):
    strides = {"model.strides": (8,)} if task == "segmentation" else {}
    balanced = {"train.class_weights": "balanced", "log.looks": "all", "task": task, **strides}
    config = config.model_copy(update=balanced)
    for name in known:
        check_ranking(config.model_copy(update={"log.rank_by": name}))
    wrong = config.model_copy(update={"log.rank_by": slip})
    with pytest.raises(KitError, match=f"unknown log.rank_by '{slip}'.*{said}"):
        check_ranking(wrong)
    check_ranking(wrong.model_copy(update={"log.looks": ("timing",)}))  # nothing is ranked


@pytest.mark.parametrize(
    "loaders", [build.fold_loaders, build_masks.mask_loaders, build_boxes.box_loaders]
)
def test_a_wrong_column_is_told_before_a_file_is_opened(config, colours, loaders):
    frame = colours.assign(path="nowhere.jpg", mask="nowhere.png", city="x")
    wrong = config.model_copy(update={"log.breakdown": ("citty",)})
    with pytest.raises(KitError, match="'citty'; did you mean 'city'"):
        loaders(frame, 0, wrong)
