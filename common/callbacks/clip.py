"""A limit to the norm of a step's gradients."""

import torch
from torch.nn.utils import clip_grads_with_norm_

from common.callbacks.anomaly import Anomalies
from common.callbacks.anomaly.moment import norms_of, trained_parameters
from common.callbacks.base import Callback
from common.callbacks.half_precision import HalfPrecision


class Clip(Callback):
    """Scales gradients down to a largest L2 norm; takes the norms that the guard has found.

    fastai's GradientClip passes over all gradients once more to find them.
    """

    order, run_valid = HalfPrecision.order + 1, False

    def __init__(self, most: float) -> None:
        self.most = most

    def before_fit(self) -> None:
        self.parameters = trained_parameters(self.learn)
        self.guards = [cb for cb in self.learn.cbs if isinstance(cb, Anomalies)]

    def before_step(self) -> None:
        found = next((guard.norms for guard in self.guards), [])
        if norms := found or norms_of(self.parameters):
            total = torch.linalg.vector_norm(torch.stack(norms))
            clip_grads_with_norm_(self.parameters, self.most, total)
