"""Planted faults: each knows where it is and what a report has to say of it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.keys import BOXES, IGNORE, IMAGE, LABEL, LABELS, LOGITS, LOSS_BOXES, MASK, MASK_LOGITS
from common.losses.terms import LossTerm

SICK = 2  # row of the sample that is to blame
INF = float("inf")


@dataclass
class Fault:
    """How to break a learner, and what the report has to name."""

    name: str
    task: str
    plant: Callable
    operation: str
    place: str
    term: str
    rows: tuple[int, ...] | None = None  # None: all of the batch
    source: str = ""
    code: str = "# planted"  # part of the line that is named
    stage: str = "forward"
    at_once: bool = False  # the very first step is bad, else the second or a later one
    amp: bool = False  # in fp16


FAULTS: list[Fault] = []


def fault(operation: str, place: str = "loss term 'bad'", term: str = "bad", **more):
    def add(plant):
        name = plant.__name__
        FAULTS.append(Fault(name, more.pop("task"), plant, operation, place, term, **more))
        return plant

    return add


def with_term(learner, function, output: str, target: str) -> None:
    """Add a term of the loss, named bad."""
    learner.loss_func.terms.append(LossTerm(output, target, function, 0.1, "bad"))


def class_term(learner, function) -> None:
    with_term(learner, function, LOGITS, LABEL)


def change(learner, key: str, value: Callable[[dict], object]) -> None:
    """Change the second batch."""
    batches = learner.batches
    batches[1] = {**batches[1], key: value(batches[1])}


def spoiled(values: Tensor, value: float) -> Tensor:
    """Return a copy whose sick row has one value of this kind."""
    values = values.clone()
    values[SICK].view(-1)[5 % values[SICK].numel()] = value
    return values


class Bad(nn.Module):
    """A layer that does something to its input."""

    def __init__(self, function) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def features(learner, function) -> None:
    learner.model.features = Bad(function)


def only(value: Tensor, row: int = SICK) -> Tensor:
    """Return a mask `(N, 1, ...)` of one row."""
    mask = torch.zeros(len(value), dtype=torch.bool)
    mask[row] = True
    return mask.view(-1, *[1] * (value.ndim - 1))


# Losses of classification.


@fault("log", task="classification", rows=(SICK,))
def log_of_zero(learner):
    def bad(logits, label):
        p = logits.softmax(1) * ~only(logits)
        return -p.log().mean(1)  # planted

    class_term(learner, bad)


@fault("sqrt", task="classification", rows=(SICK,), stage="backward")
def sqrt_at_zero(learner):
    def bad(logits, label):
        square = ((logits * ~only(logits)) ** 2).sum(1)
        return square.sqrt()  # planted

    class_term(learner, bad)


@fault("sqrt", task="classification", rows=(SICK,))
def sqrt_below_zero(learner):
    def bad(logits, label):
        x = torch.where(only(logits)[:, 0], -1.0, 1.0) * logits.exp().sum(1)
        return x.sqrt()  # planted

    class_term(learner, bad)


@fault("div", task="classification", rows=(SICK,))
def zero_over_zero(learner):
    def bad(logits, label):
        x = logits.abs().sum(1) * ~only(logits)[:, 0]
        return x / x  # planted

    class_term(learner, bad)


@fault("log", task="classification", rows=(SICK,))
def saturated_sigmoid(learner):
    def bad(logits, label):
        p = torch.sigmoid(logits + 200.0 * only(logits))
        return -(1 - p).log().mean(1)  # planted

    class_term(learner, bad)


@fault("log", task="classification", rows=(SICK,), stage="backward")
def where_hides_a_gradient(learner):
    def bad(logits, label):
        x = logits.exp() * ~only(logits)
        y = x.log()  # planted
        return torch.where(x > 0, y, 0.0).mean(1)

    class_term(learner, bad)


@fault("acos", task="classification", rows=(SICK,), stage="backward")
def acos_at_the_edge(learner):
    def bad(logits, label):
        cosine = torch.where(only(logits)[:, 0], 1.0 + 0 * logits[:, 0], 0.1 * logits[:, 0].tanh())
        return cosine.acos()  # planted

    class_term(learner, bad)


@fault("pow", task="classification", rows=(SICK,), stage="backward")
def root_of_a_norm(learner):
    def bad(logits, label):
        x = (logits * ~only(logits)).abs().sum(1)
        return x**0.25  # planted

    class_term(learner, bad)


@fault("sum", task="classification", rows=(SICK,))
def sum_in_fp16(learner):
    def bad(logits, label):
        values = torch.where(only(logits), 4e4, 1.0) * logits.sigmoid().clamp_min(0.9)
        return values.half().sum(1).float()  # planted

    class_term(learner, bad)


@fault("exp", task="classification", rows=(SICK,))
def exponential(learner):
    def bad(logits, label):
        return (logits + 100.0 * only(logits)).exp().mean(1)  # planted

    class_term(learner, bad)


@fault("cross_entropy", task="classification", rows=(1, 4), source="operand of shape (3,)")
def infinite_class_weight(learner):
    weight = torch.tensor([1.0, INF, 1.0])

    def bad(logits, label):
        return F.cross_entropy(logits, label, weight, reduction="none")  # planted

    class_term(learner, bad)


@fault("softmax", task="classification", rows=(SICK,))
def everything_masked(learner):
    def bad(logits, label):
        return logits.masked_fill(only(logits), -INF).softmax(1).mean(1)  # planted

    class_term(learner, bad)


# Inputs, targets and weights of classification.


@fault(
    "sub",
    "normalise",
    "cross_entropy",
    task="classification",
    rows=(SICK,),
    source="'image' of the batch",
    code="self.mean",
)
def nan_pixel(learner):
    change(learner, IMAGE, lambda batch: spoiled(batch[IMAGE].float(), float("nan")))


@fault(
    "sub",
    "normalise",
    "cross_entropy",
    task="classification",
    rows=(SICK,),
    source="'image' of the batch",
    code="self.mean",
)
def infinite_pixel(learner):
    change(learner, IMAGE, lambda batch: spoiled(batch[IMAGE].float(), INF))


@fault(
    "cross_entropy",
    "loss term 'cross_entropy'",
    "cross_entropy",
    task="classification",
    rows=(SICK,),
    source="'label' of the batch",
    code="F.cross_entropy(",
)
def nan_target(learner):
    shares = lambda batch: F.one_hot(batch[LABEL], 3).float()  # noqa: E731
    change(learner, LABEL, lambda batch: spoiled(shares(batch), float("nan")))


@fault(
    "linear",
    "body.fc",
    "cross_entropy",
    task="classification",
    source="'body.fc.weight'",
    code="get_classifier()",
    at_once=True,
)
def infinite_weight(learner):
    learner.model.body.fc.weight.data[1, 3] = INF


@fault(
    "conv2d",
    "body.conv1.0",
    "cross_entropy",
    task="classification",
    code="self.conv1(",
    at_once=True,
)
def bad_initialisation(learner):
    learner.model.body.conv1[0].weight.data.fill_(1e38)


@fault("conv2d", "body.conv1.0", "cross_entropy", task="classification", code="self.conv1(")
def exploding_learning_rate(learner):
    learner.lr = 1e38


@fault("div", "features", "cross_entropy", task="classification", rows=(SICK,))
def eps_that_fp16_cannot_hold(learner):
    def bad(x):
        half = (x * ~only(x)).half()
        spread = half.var((1, 2, 3), keepdim=True) + 1e-8
        return (half / spread).float()  # planted

    features(learner, bad)


@fault("mul", "features", "cross_entropy", task="classification", rows=(SICK,), amp=True)
def fp16_activations_overflow(learner):
    def bad(x):
        return x.half() * torch.where(only(x), 6e4, 1.0).half() * 6e4  # planted

    features(learner, bad)


class Steep(torch.autograd.Function):
    """Passes numbers on; its gradient is too large for fp16."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        return (gradient.half() * 6e4 * 6e4 * 6e4).float()


@fault(
    "forward of Bad",
    "features",
    "cross_entropy",
    task="classification",
    stage="backward",
    amp=True,
    code="def forward(self, x",
)
def fp16_gradient_overflows_at_every_scale(learner):
    features(learner, Steep.apply)


# Segmentation.


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


# Detection.


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


@fault("mean", task="detection", rows=(SICK,))
def mean_of_no_boxes(learner):
    empty = lambda batch: [b[:0] if n == SICK else b for n, b in enumerate(batch[BOXES])]  # noqa: E731
    change(learner, BOXES, empty)
    classes = lambda batch: [b[:0] if n == SICK else b for n, b in enumerate(batch[LABELS])]  # noqa: E731
    change(learner, LABELS, classes)

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
