"""Heads of classifiers beside the linear one: a margin between classes, several dropouts."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.config import Config
from common.errors import KitError
from common.losses.safe import safe_sqrt


class ArcFace(nn.Module):
    """Cosines to class centres, with a margin in training (Deng et al. 2019).

    Helps where there are many classes of few pictures each, and where embeddings are compared.
    Several centres of a class (sub-centres, Deng et al. 2020) help where labels are noisy.
    Computed in float32.

    Args:
        features: D of the embedding.
        num_classes: C.
        margin: radians by which the own class has to be nearer.
        scale: of the cosines, which alone are too flat for a softmax.
        subcentres: of each class; the nearest counts.
    """

    def __init__(
        self,
        features: int,
        num_classes: int,
        margin: float = 0.3,
        scale: float = 30.0,
        subcentres: int = 1,
    ) -> None:
        super().__init__()
        self.margin, self.scale, self.subcentres = margin, scale, subcentres
        self.weight = nn.Parameter(torch.empty(num_classes * subcentres, features))
        nn.init.xavier_normal_(self.weight)

    def forward(self, embedding: Tensor, label: Tensor | None = None) -> Tensor:
        """Return `(N, C)` logits of `(N, D)`; with `(N,)` labels, as in training, less the margin.

        Raises:
            KitError: labels are shares of classes.
        """
        with torch.autocast(embedding.device.type, enabled=False):
            centres = F.normalize(self.weight.float())
            cosine = F.linear(F.normalize(embedding.float()), centres)
            cosine = cosine.unflatten(1, (-1, self.subcentres)).amax(2)
            if label is None:
                return self.scale * cosine
            if label.ndim != 1 or label.is_floating_point():
                raise KitError(
                    f"expected one class per image for model.head=arcface, got labels of shape "
                    f"{tuple(label.shape)}; set train.mixup and train.cutmix to 0, take hard "
                    "pseudo-labels, or set model.head=linear"
                )
            own = F.one_hot(label, cosine.shape[1]).bool()
            return self.scale * torch.where(own, further(cosine, self.margin), cosine)


def further(cosine: Tensor, margin: float) -> Tensor:
    """Return the cosine of an angle that is larger by the margin, falling on beyond pi."""
    sine = safe_sqrt(1 - cosine.square())
    turned = cosine * math.cos(margin) - sine * math.sin(margin)
    beyond = cosine - margin * math.sin(margin)
    return torch.where(cosine > -math.cos(margin), turned, beyond)


def dropped(embedding: Tensor, rate: float, masks: int) -> Tensor:
    """Return `(masks * N, D)`: the embeddings under several draws of dropout, mask by mask.

    Multi-sample dropout (Inoue 2019) averages the losses of all: it helps a head that overfits, at
    hardly any cost.
    """
    return F.dropout(embedding.repeat(masks, 1), rate)


def check_head(config: Config) -> None:
    """Raise a KitError if head, dropouts and targets do not go together."""
    model, train = config.model, config.train
    if model.head == "arcface" and (config.multilabel or config.target != "classes"):
        got = "multilabel=true" if config.multilabel else f"target={config.target}"
        raise KitError(
            f"expected one class per image for model.head=arcface, got {got}; set model.head=linear"
        )
    for key in ("mixup", "cutmix"):
        if model.head == "arcface" and getattr(train, key):
            raise KitError(
                f"expected train.{key}=0 with model.head=arcface, whose margin is for one class, "
                f"got {getattr(train, key)}; set it to 0, or model.head=linear"
            )
    if model.dropouts > 1 and not model.drop_rate:
        raise KitError(
            f"expected model.drop_rate above 0 with model.dropouts={model.dropouts}, for masks "
            "that drop nothing are all alike; set it, say to 0.3, or model.dropouts=1"
        )
