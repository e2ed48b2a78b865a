"""Weights of classes, from how often each is there."""

import torch
from torch import Tensor


def balanced_weights(labels: Tensor, num_classes: int) -> Tensor:
    """Return weights by which all classes count alike: helps where a metric sees rare ones as well.

    `N / (C * count)`, scikit-learn's `balanced` (King & Zeng 2001): the mean over the samples is 1,
    so that the learning rate may stay. A class that is not there gets the weight of one that is
    there once.

    Args:
        labels: `(N,)` int64 classes or `(N, C)` labels of 0 and 1.
        num_classes: C.

    Returns:
        `(C,)` float32; for labels `(2, C)`, of no and of yes, each class being a question of two.
    """
    if labels.ndim == 1:
        counts = torch.bincount(labels, minlength=num_classes)
        return len(labels) / (num_classes * counts.clamp_min(1).float())
    yes = (labels > 0.5).sum(0)
    counts = torch.stack([len(labels) - yes, yes])
    return len(labels) / (2 * counts.clamp_min(1).float())
