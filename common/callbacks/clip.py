"""A limit to the norm of a step's gradients."""

from torch.nn.utils import clip_grads_with_norm_

from common.callbacks.anomaly import Anomalies
from common.callbacks.anomaly.moment import norm_of, trained_parameters
from common.callbacks.base import Callback
from common.callbacks.half_precision import HalfPrecision


class Clip(Callback):
    """Scales gradients down to a largest L2 norm; takes the norm that the guard has found.

    fastai's GradientClip passes over all gradients once more to find it.
    """

    order, run_valid = HalfPrecision.order + 1, False

    def __init__(self, most: float) -> None:
        self.most = most

    def before_fit(self) -> None:
        self.parameters = trained_parameters(self.learn)
        self.guards = [cb for cb in self.learn.cbs if isinstance(cb, Anomalies)]

    def before_step(self) -> None:
        found = [guard.norm for guard in self.guards if guard.norm is not None]
        gradients = [g for p in self.parameters if (g := p.grad) is not None]
        clip_grads_with_norm_(self.parameters, self.most, found[0] if found else norm_of(gradients))
