"""The counts of `common.metrics.pixels` for batches of tensors, on the device where they are."""

import torch
from torch import Tensor

from common.metrics.pixels import STEPS, THRESHOLDS


def threshold_counts_batch(probs: Tensor, target: Tensor, ignore: int | None = None) -> Tensor:
    """Return `(N, T, 4)` int64 counts at THRESHOLDS, on the CPU; see `pixels.threshold_counts`.

    Args:
        probs: `(N, H, W)` float in 0..1.
        target: `(N, H, W)` 0 or 1; `ignore` marks pixels that do not count.
        ignore: that value, or None.
    """
    key = (probs * STEPS).clamp_max(STEPS - 1).nan_to_num(0).to(torch.uint8)
    key |= (target == 1).to(torch.uint8) << 7
    per_step = _tables(key, target, ignore, 2 * STEPS).view(-1, 2, STEPS)
    steps = [round(threshold * STEPS) - 1 for threshold in THRESHOLDS]
    below = per_step.cumsum(2)[:, :, steps]
    above = per_step.sum(2, keepdim=True) - below
    counts = torch.stack([above[:, 1], above[:, 0], below[:, 1], below[:, 0]], 2)
    broken = probs.isnan() if ignore is None else probs.isnan() & (target != ignore)
    counts[broken.flatten(1).any(1).cpu()] = -1
    return counts


def confusion_batch(pred: Tensor, target: Tensor, num_classes: int, ignore: int) -> Tensor:
    """Return `(N, C, C)` int64 counts, on the CPU; see `pixels.confusion`.

    Args:
        pred, target: `(N, H, W)` classes; `ignore` marks pixels of the target that do not count.
        num_classes: C.
        ignore: that value.
    """
    cells = num_classes**2
    small = torch.uint8 if cells <= 256 else torch.int64  # bytes are counted several times faster
    key = target.to(small) * num_classes + pred.to(small)
    return _tables(key, target, ignore, cells).view(-1, num_classes, num_classes)


def _tables(key: Tensor, target: Tensor, ignore: int | None, cells: int) -> Tensor:
    """Return `(N, cells)` int64: how often each key occurs in each sample."""
    tables = []
    for own, truth in zip(key, target, strict=True):
        valid = None if ignore is None else truth != ignore
        # choosing pixels takes longer than counting them, and few windows have any to leave out
        kept = own.flatten() if valid is None or bool(valid.all()) else own[valid]
        tables.append(torch.bincount(kept, minlength=cells))
    return torch.stack(tables).cpu()
