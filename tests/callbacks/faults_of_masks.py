"""Planted faults of segmentation."""

import torch

from common.keys import IGNORE, IMAGE, MASK, MASK_LOGITS

from .anomaly_faults import SICK, Bad, change, fault, only, spoiled, with_term


def mask_term(learner, function) -> None:
    with_term(learner, function, MASK_LOGITS, MASK)


@fault("mean", task="segmentation", rows=(SICK,))
def mean_of_ignored_pixels(learner):
    change(learner, MASK, lambda batch: torch.where(only(batch[MASK]), IGNORE, batch[MASK]))

    def bad(logits, mask):
        pairs = zip(logits[:, 0], mask, strict=True)
        return torch.stack([row[own != IGNORE].mean() for row, own in pairs])  # planted

    mask_term(learner, bad)


@fault("div", task="segmentation", rows=(SICK,))
def dice_of_nothing(learner):
    def bad(logits, mask):
        p = logits[:, 0].sigmoid() * ~only(mask)
        t = mask.float() * ~only(mask)
        return 1 - 2 * (p * t).sum((1, 2)) / (p.sum((1, 2)) + t.sum((1, 2)))  # planted

    mask_term(learner, bad)


@fault("log", task="segmentation", rows=(SICK,))
def entropy_of_certain_pixels(learner):
    def bad(logits, mask):
        p = torch.sigmoid(logits[:, 0] - 300.0 * only(mask))
        return -(p * p.log()).mean((1, 2))  # planted

    mask_term(learner, bad)


@fault("sqrt", task="segmentation", rows=(SICK,), stage="backward")
def edge_strength_of_flat_masks(learner):
    def bad(logits, mask):
        x = (logits[:, 0] * ~only(mask)).diff(dim=1)
        return (x**2).sqrt().mean((1, 2))  # planted

    mask_term(learner, bad)


@fault(
    "sub",
    "normalise",
    "bce",
    task="segmentation",
    rows=(SICK,),
    source="'image' of the batch",
    code="self.mean",
)
def nan_pixel_of_a_window(learner):
    change(learner, IMAGE, lambda batch: spoiled(batch[IMAGE].float(), float("nan")))


@fault(
    "conv2d",
    "net.segmentation_head.0",
    "bce",
    task="segmentation",
    code="",
    source="'net.segmentation_head.0.weight'",
    at_once=True,
)
def nan_in_the_head(learner):
    learner.model.net.segmentation_head[0].weight.data[0, 0, 1, 1] = float("nan")


@fault("rsqrt", "dropout", "bce", task="segmentation", rows=(SICK,))
def norm_without_eps(learner):
    def bad(x):
        x = x * ~only(x)
        spread = x.var((1, 2, 3), keepdim=True, correction=0)
        return (x - x.mean((1, 2, 3), keepdim=True)) * spread.rsqrt()  # planted

    learner.model.dropout = Bad(bad)
