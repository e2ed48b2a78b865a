"""Planted faults of detection."""

from functools import partial

import torch
from torch import Tensor

from common.keys import BOXES, IMAGE, LABELS, LOSS_BOXES

from .anomaly_faults import (
    INF,
    SICK,
    change,
    fault,
    spoiled,
    with_term,
)


def box_term(learner, function) -> None:
    with_term(learner, function, LOSS_BOXES, BOXES)


def flat_box(batch) -> list[Tensor]:
    boxes = list(batch[BOXES])
    boxes[SICK] = boxes[SICK].clone()
    boxes[SICK][0, 2] = boxes[SICK][0, 0]
    return boxes


@fault("log", task="detection", rows=(SICK,))
def log_of_a_flat_box(learner):
    change(learner, BOXES, flat_box)

    def bad(loss, boxes):
        return loss + torch.stack([(b[:, 2] - b[:, 0]).log().sum() for b in boxes])  # planted

    box_term(learner, bad)


def emptied(key, batch):
    return [values[:0] if n == SICK else values for n, values in enumerate(batch[key])]


@fault("mean", task="detection", rows=(SICK,))
def mean_of_no_boxes(learner):
    for key in (BOXES, LABELS):
        change(learner, key, partial(emptied, key))

    def bad(loss, boxes):
        return loss * torch.stack([b.mean() for b in boxes])  # planted

    box_term(learner, bad)


@fault("div", task="detection", rows=(SICK,))
def iou_of_boxes_without_area(learner):
    change(learner, BOXES, flat_box)

    def bad(loss, boxes):
        areas = [((b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])).min() for b in boxes]
        return loss * torch.stack([a / a for a in areas])  # planted

    box_term(learner, bad)


@fault(
    "getitem",
    "Detector",
    "boxes",
    task="detection",
    rows=(SICK,),
    code="",
    source="'boxes' of the batch",
)
def nan_corner(learner):
    def broken(batch):
        return [b * (float("nan") if n == SICK else 1) for n, b in enumerate(batch[BOXES])]

    change(learner, BOXES, broken)


@fault(
    "conv2d",
    "network.head.classification_head.cls_logits",
    "classes",
    task="detection",
    code="",
    source="cls_logits.weight'",
    at_once=True,
)
def infinite_weight_of_a_head(learner):
    learner.model.network.head.classification_head.cls_logits.weight.data[0, 0] = INF


@fault(
    "sub",
    "normalise",
    "classes",
    task="detection",
    rows=(SICK,),
    source="'image' of the batch",
    code="self.mean",
)
def nan_pixel_under_boxes(learner):
    change(learner, IMAGE, lambda batch: spoiled(batch[IMAGE].float(), float("nan")))
