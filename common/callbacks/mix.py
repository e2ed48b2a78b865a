"""Mixup and cutmix on batch dicts."""

from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from common.callbacks.base import Callback
from common.keys import IMAGE, LABEL, WEIGHT, auxiliary_target


class Mix(Callback):
    """Blend every training batch with a shuffled self; targets become shares of classes.

    mixup (Zhang et al. 2018) blends pixels, cutmix (Yun et al. 2019) pastes a rectangle. With both
    on, each batch draws one of them. Numbers of a regression are mixed as they are.

    Args:
        mixup: parameter of the Beta distribution of the share; 0 = off.
        cutmix: the same for the area.
        num_classes: C of the target shares `(N, C)`.
        auxiliary: columns of `model.auxiliary`, whose targets are mixed alike.
    """

    order, run_valid = 0, False

    def __init__(
        self, mixup: float, cutmix: float, num_classes: int, auxiliary: Iterable[str] = ()
    ) -> None:
        self.mixup, self.cutmix, self.num_classes = mixup, cutmix, num_classes
        self.others = [auxiliary_target(column) for column in auxiliary]

    def before_batch(self) -> None:
        batch = self.learn.batch
        cut = self.cutmix > 0 and (self.mixup == 0 or bool(torch.rand(()) < 0.5))
        alpha = torch.tensor(self.cutmix if cut else self.mixup)
        share = float(torch.distributions.Beta(alpha, alpha).sample())
        order = torch.randperm(len(batch[IMAGE])).to(batch[IMAGE].device)
        if cut:
            image, share = paste(batch[IMAGE], order, share)
        else:
            image = batch[IMAGE].float()
            image = torch.lerp(image[order], image, share)
        mixed = {IMAGE: image}
        targets = {LABEL: shares(batch[LABEL], self.num_classes)}
        targets |= {key: batch[key] for key in self.others}
        kept: float | Tensor = share
        if WEIGHT in batch:
            kept, mixed[WEIGHT] = weighted_share(batch[WEIGHT], order, share)
        for key, target in targets.items():
            mixed[key] = torch.lerp(target[order], target, kept)
        self.learn.set_batch({**batch, **mixed})


def shares(label: Tensor, num_classes: int) -> Tensor:
    """Return `(N, C)` float targets from `(N,)` classes or `(N, C)` labels."""
    return F.one_hot(label, num_classes).float() if label.ndim == 1 else label.float()


def weighted_share(weight: Tensor, order: Tensor, share: float) -> tuple[Tensor, Tensor]:
    """Return `(N, 1)` shares to mix targets by and `(N,)` weights, of samples that weigh unlike.

    Cross entropy is linear in its target: so both parts keep their own weight in the loss.
    """
    mine, other = share * weight, (1 - share) * weight[order]
    total = mine + other
    kept = torch.where(total > 0, mine / total.clamp_min(1e-12), share)
    return kept[:, None], total


def paste(image: Tensor, order: Tensor, share: float) -> tuple[Tensor, float]:
    """Paste a random rectangle of the shuffled images; return them and the share that is kept."""
    height, width = image.shape[-2:]
    side = (1 - share) ** 0.5
    top, bottom = _span(height, side)
    left, right = _span(width, side)
    pasted = image.clone()
    pasted[..., top:bottom, left:right] = image[order][..., top:bottom, left:right]
    return pasted, 1 - (bottom - top) * (right - left) / (height * width)


def _span(length: int, side: float) -> tuple[int, int]:
    centre, half = int(torch.randint(length, ())), round(length * side / 2)
    return max(centre - half, 0), min(centre + half, length)
