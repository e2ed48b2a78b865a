"""Validates the slow weights of an optimiser that looks ahead."""

import torch
from timm.optim import Lookahead

from common.callbacks.base import Callback

SLOW, SHARE = "lookahead_slow_buff", "lookahead_alpha"  # timm's names in state and groups


class SlowWeights(Callback):
    """At the end of an epoch's steps the fast weights go back to the slow ones, half the way.

    Zhang et al. (2019) validate and keep the slow weights. timm's own `sync_lookahead` passes over
    weights without a gradient, which after a step all are.
    """

    run_valid = False

    @torch.no_grad()
    def after_train(self) -> None:
        optimiser = self.learn.opt.opt
        assert isinstance(optimiser, Lookahead)
        state = optimiser._base_optimizer.state
        for group in optimiser.param_groups:
            for fast in group["params"]:
                slow = state[fast].get(SLOW) if fast in state else None
                if slow is not None:
                    slow.add_(fast - slow, alpha=group[SHARE])
                    fast.copy_(slow)
