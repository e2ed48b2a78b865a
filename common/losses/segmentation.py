"""Segmentation losses that give one value per sample, `(N,)`; all start from logits.

Logits are `(N, C, H, W)`. The target says how they are read:

- `(N, H, W)` for one channel, or `(N, C, H, W)`: shares in 0..1, each channel a sigmoid of its own;
- `(N, H, W)` integer classes for C > 1 channels: one softmax over the channels.

Pixels whose target is `ignore` count nowhere; a sample of nothing else costs 0, with gradient 0.
Half precision is computed in float32, since sums over pixels overflow it.
"""

from collections.abc import Callable
from functools import wraps

import torch
import torch.nn.functional as F
from torch import Tensor

from common.losses.pixels import Pixels, flatten
from common.losses.safe import floor_of, safe_divide

MaskLoss = Callable[[Tensor, Tensor], Tensor]


def binary_cross_entropy_mask(
    label_smoothing: float = 0.0, ignore: float | None = None
) -> MaskLoss:
    """Return cross entropy, mean over pixels: of a sigmoid and channels, or of the softmax."""

    def binary_cross_entropy_mask(logits: Tensor, target: Tensor) -> Tensor:
        pixels = flatten(logits, target, ignore)
        num_classes = pixels.logits.shape[1] if pixels.exclusive else 2
        smooth = pixels.target * (1 - label_smoothing) + label_smoothing / num_classes
        if pixels.exclusive:
            # the mean over channels is the sum over channels of which there are C
            values = -smooth * pixels.logits.log_softmax(1) * num_classes
        else:
            values = F.binary_cross_entropy_with_logits(pixels.logits, smooth, reduction="none")
        return pixels.mean(values)

    return binary_cross_entropy_mask


def focal(gamma: float = 2.0, alpha: float | None = None, ignore: float | None = None) -> MaskLoss:
    """Return focal loss, mean over pixels (Lin et al. 2017): easy pixels count for less.

    Args:
        gamma: 0 gives cross entropy; more forgives more.
        alpha: weight of the foreground, 1 - alpha of the background; None for 1 and 1.
        ignore: target of pixels that do not count.
    """
    positive, negative = (1.0, 1.0) if alpha is None else (alpha, 1 - alpha)

    def focal(logits: Tensor, target: Tensor) -> Tensor:
        pixels = flatten(logits, target, ignore)
        if pixels.exclusive:
            log_probs = pixels.logits.log_softmax(1)
            # not 1 - p, whose power has an infinite slope at 0 for a gamma below 1
            missed = (1 - log_probs.exp()).clamp_min(floor_of(log_probs.dtype)) ** gamma
            return pixels.mean(-pixels.target * missed * log_probs * pixels.logits.shape[1])
        yes, no = F.logsigmoid(pixels.logits), F.logsigmoid(-pixels.logits)
        hit = positive * pixels.target * (gamma * no).exp() * yes
        return pixels.mean(-hit - negative * (1 - pixels.target) * (gamma * yes).exp() * no)

    return focal


def dice(smooth: float = 0.0, ignore: float | None = None) -> MaskLoss:
    """Return 1 - soft Dice of each sample, mean over channels.

    A channel without foreground in a sample is scored by its background. The usual ratio is either
    left out there, and false positives are free, or 1 for the faintest of them, without a slope.

    Args:
        smooth: share of the pixels that is added above and below, so that strides agree.
        ignore: target of pixels that do not count.
    """

    def dice(logits: Tensor, target: Tensor) -> Tensor:
        return _overlap(flatten(logits, target, ignore), smooth, jaccard=False)

    return dice


def jaccard(smooth: float = 0.0, ignore: float | None = None) -> MaskLoss:
    """Return 1 - soft IoU of each sample, mean over channels; without foreground as in `dice`."""

    def jaccard(logits: Tensor, target: Tensor) -> Tensor:
        return _overlap(flatten(logits, target, ignore), smooth, jaccard=True)

    return jaccard


def _overlap(pixels: Pixels, smooth: float, jaccard: bool) -> Tensor:
    """Return the (N,) loss of ratios of areas."""
    probs, area = pixels.probs, pixels.valid.sum(2)
    truth, guess, hit = pixels.target.sum(2), probs.sum(2), (probs * pixels.target).sum(2)
    empty = truth == 0
    # of background instead: 1 - p against a target of ones
    hit = torch.where(empty, area - guess, hit)
    both = torch.where(empty, 2 * area - guess, truth + guess)
    part, whole = (hit, both - hit) if jaccard else (2 * hit, both)
    extra = smooth * area
    ratio = safe_divide(part + extra, whole + extra)
    return torch.where(area > 0, 1 - ratio, 0 * ratio).mean(1)


def lovasz(ignore: float | None = None) -> MaskLoss:
    """Return the Lovász extension of 1 - IoU per image (Berman et al. 2018), mean over channels.

    Hinge for sigmoids, softmax for classes; a target of shares counts as foreground above 0.5.
    """

    def lovasz(logits: Tensor, target: Tensor) -> Tensor:
        pixels = flatten(logits, target, ignore)
        truth = (pixels.target > 0.5).to(pixels.logits.dtype)
        if pixels.exclusive:
            errors = (truth - pixels.probs).abs()
        else:
            errors = (1 - pixels.logits * (2 * truth - 1)).relu()
        # an ignored pixel has no error: it is sorted behind all that have one, and adds nothing
        errors, order = (errors * pixels.valid).sort(dim=2, descending=True)
        return (errors * _lovasz_slope(truth.gather(2, order))).sum(2).mean(1)

    return lovasz


def _lovasz_slope(truth: Tensor) -> Tensor:
    """Return (N, C, P) by how much each next error raises 1 - IoU; `truth` by falling error."""
    total = truth.sum(2, keepdim=True)
    hit, union = total - truth.cumsum(2), total + (1 - truth).cumsum(2)
    lost = 1 - hit / union
    return torch.diff(lost, dim=2, prepend=torch.zeros_like(total))


def downsampled(loss: MaskLoss, ignore: float | None = None) -> MaskLoss:
    """Return the loss for an output of a coarser stride: the target is shrunk to its size.

    Shares are averaged over the area of a cell, so that a house smaller than a cell still counts
    for what it covers, where picking one pixel would lose or double it. Classes cannot be
    averaged: the pixel at the centre is picked (nearest-exact; plain nearest picks the corner,
    half a cell aside).

    Args:
        loss: any loss of this module.
        ignore: as given to the loss; a cell is averaged over its other pixels.
    """

    @wraps(loss)
    def at_stride(logits: Tensor, target: Tensor) -> Tensor:
        size = (logits.shape[2], logits.shape[3])
        if target.shape[-2:] == size:
            return loss(logits, target)
        shrunk = target[:, None] if target.ndim == 3 else target
        if target.ndim == 3 and logits.shape[1] > 1:
            nearest = F.interpolate(shrunk.float(), size, mode="nearest-exact")
            return loss(logits, nearest[:, 0].to(target.dtype))
        return loss(logits, _average(shrunk.float(), size, ignore))

    return at_stride


def _average(target: Tensor, size: tuple[int, int], ignore: float | None) -> Tensor:
    """Return (N, C, h, w) means over cells of a (N, C, H, W) target."""
    if ignore is None:
        return F.adaptive_avg_pool2d(target, size)
    valid = (target != ignore).float()
    share = F.adaptive_avg_pool2d(valid, size)
    mean = safe_divide(F.adaptive_avg_pool2d(target * valid, size), share)
    return mean.masked_fill(share == 0, ignore)
