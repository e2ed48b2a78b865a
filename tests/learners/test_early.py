"""Slips in log.rank_by and log.breakdown are told before anything expensive."""

import pytest

from common.data import build, build_boxes, build_masks
from common.errors import KitError
from common.learners.early import check_ranking, loss_terms

LINE = {"target": "regression", "model.auxiliary": {"age": 1, "kind": 3}}


@pytest.mark.parametrize(
    ("update", "known", "slip", "said"),
    [
        ({}, ["loss", "cross_entropy"], "iou", "known: loss, cross_entropy"),
        (LINE, ["loss", "mse", "auxiliary_age", "auxiliary_kind"], "mae", "did you mean 'mse'"),
        (
            {"task": "segmentation", "model.strides": (8,)},
            ["loss", "bce", "dice", "dice_stride_8", "iou"],
            "dise",
            "'dice'",
        ),
        ({"task": "detection"}, ["loss", "classes", "score"], "scores", "did you mean 'score'"),
    ],
)
def test_a_slip_is_told_from_the_config_alone(config, update, known, slip, said):
    config = config.model_copy(
        update={"train.class_weights": "balanced", "log.looks": "all", **update}
    )
    terms = loss_terms(config)
    for name in known:
        check_ranking(config.model_copy(update={"log.rank_by": name}), terms)
    wrong = config.model_copy(update={"log.rank_by": slip})
    with pytest.raises(KitError, match=f"unknown log.rank_by '{slip}'.*{said}"):
        check_ranking(wrong, terms)
    check_ranking(wrong.model_copy(update={"log.looks": ("timing",)}), terms)  # nothing is ranked


@pytest.mark.parametrize(
    "loaders", [build.fold_loaders, build_masks.mask_loaders, build_boxes.box_loaders]
)
def test_a_wrong_column_is_told_before_a_file_is_opened(config, colours, loaders):
    frame = colours.assign(path="nowhere.jpg", mask="nowhere.png", city="x")
    wrong = config.model_copy(update={"log.breakdown": ("citty",)})
    with pytest.raises(KitError, match="'citty'; did you mean 'city'"):
        loaders(frame, 0, wrong)
