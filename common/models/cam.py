"""Which places of a picture speak for an output: class activation maps.

HiResCAM (Draelos & Carin, 2020): the gradient of the output times the activation, summed over
channels. For a network that ends in a global mean and a linear layer this is Grad-CAM (Selvaraju et
al., 2017), and CAM (Zhou et al., 2016) but for a factor; for others it stays with the places that
the output was computed from, where Grad-CAM's mean over places forgets them.

The network runs once: up to its features without gradients, from there on with them. What that
costs beside a forward pass is the way back through the head alone.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.keys import IMAGE
from common.models.cam_tap import Tap
from common.models.compiled import eagerly
from common.models.segmenter import MULTIPLE, Segmenter


class Target(NamedTuple):
    """What a map is to explain, of each of N pictures."""

    values: Tensor  # (N,) float, with a gradient
    levels: Sequence[int]  # N places in `Tap.features`: from which of its maps it was computed


Aim = Callable[[Mapping[str, Any], Tap], Target]


def activation_maps(
    model: nn.Module, batch: Mapping[str, Any], aims: Sequence[Aim]
) -> list[list[np.ndarray]]:
    """Return for each aim a map `(H, W)` float32 of each picture, 0 where nothing speaks for it.

    Nothing of the model changes: modes are put back, and no `.grad` is written.

    Args:
        model: a Classifier, Segmenter or Detector.
        batch: with `IMAGE` `(N, 3, H, W)` on the model's device; targets are not looked at.
        aims: see `common.models.cam_aims`.

    Raises:
        NoMap: the network has no features that lie in a plane.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        # The tap switches gradients on behind the features; leaving no_grad puts that back.
        with torch.no_grad(), eagerly(), Tap(model) as tap:
            outputs = model({IMAGE: batch[IMAGE]})
            targets = [aim(outputs, tap) for aim in aims]
            size = _padded(model, batch[IMAGE])
            found = [
                _maps(tap, target, size, keep=number + 1 < len(targets))
                for number, target in enumerate(targets)
            ]
    finally:
        for module, training in modes:
            module.training = training
    height, width = batch[IMAGE].shape[-2:]
    return [[one[:height, :width].cpu().numpy() for one in maps] for maps in found]


def _maps(tap: Tap, target: Target, size: tuple[int, int], keep: bool) -> list[Tensor]:
    """Return N maps of `size`; `keep` the graph for further targets."""
    used = sorted(set(target.levels))
    features = [tap.features[level] for level in used]
    gradients = torch.autograd.grad(target.values.sum(), features, retain_graph=keep)
    with torch.no_grad():
        planes = {
            level: tap.plane(gradient * feature).relu()
            for level, gradient, feature in zip(used, gradients, features, strict=True)
        }
        return [
            F.interpolate(planes[level][place, None, None], size, mode="bilinear")[0, 0]
            for place, level in enumerate(target.levels)
        ]


def _padded(model: nn.Module, image: Tensor) -> tuple[int, int]:
    """Return height and width of what the features cover."""
    multiple = MULTIPLE if isinstance(model, Segmenter) else 1
    height, width = image.shape[-2:]
    return height + -height % multiple, width + -width % multiple
