"""Planted faults of what goes into a classifier: pictures, targets, weights, half precision."""

import torch
import torch.nn.functional as F
from torch import Tensor

from common.keys import IMAGE, LABEL

from .anomaly_faults import INF, SICK, change, fault, features, only, spoiled


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
    change(learner, LABEL, lambda batch: spoiled(shares(batch), float("nan")))


def shares(batch):
    return F.one_hot(batch[LABEL], 3).float()


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
