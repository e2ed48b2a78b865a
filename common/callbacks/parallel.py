"""Several processes train one model: torch's DistributedDataParallel around each forward pass."""

import random
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from common import distributed
from common.callbacks.accumulate import batches_of, step_is_whole
from common.callbacks.base import Callback
from common.callbacks.ema import Ema
from common.callbacks.mix import Mix
from common.config import Config
from common.data.loaders import share_of
from common.errors import KitError


class Parallel(Callback):
    """Averages the gradients of all processes; `learn.model` stays the model itself.

    fastai's DistributedTrainer does the same for fastai's own loaders, and pads validations; here
    loaders divide each batch among the processes, so that a step is that of one process. Weights,
    checkpoints and looks never meet the wrapper.

    What is random in a step (dropout, mixup) is drawn by the first process as ever, and by each
    other one from seed, process and step: all differ, and a run that goes on draws the same.

    Args:
        seed: of the run.
    """

    order = Mix.order - 2  # before a step's random state is taken, for its replay

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.wrapped: Any = None  # the model, in torch's DistributedDataParallel
        self.trained: list[bool] = []  # whether each parameter was, when the wrapper was made

    def before_fit(self) -> None:
        self.learn.parallel = self

    def before_train(self) -> None:
        learn = self.learn
        trained = [parameter.requires_grad for parameter in learn.model.parameters()]
        if trained != self.trained:  # it learns once, in the beginning, what to wait for
            self.wrapped, self.trained = None, trained
            self.wrapped = self._wrap(learn.model)
        self.batches, self.share = batches_of(learn), share_of(learn.dls.train)

    def _wrap(self, model: nn.Module) -> nn.Module:
        # A backward pass that the detection ends in one process would not end in the others.
        self.afterwards = torch.is_anomaly_enabled()
        if not self.afterwards:
            return DistributedDataParallel(model, find_unused_parameters=True)
        distributed.copy_from_first(model.state_dict().values())
        return model

    def before_batch(self) -> None:
        if self.learn.training and not distributed.is_first():
            seed_step(self.seed, distributed.rank(), self.learn.train_iter)

    def after_backward(self) -> None:
        if self.afterwards and step_is_whole(self.learn, self.batches):
            average_gradients(self.learn.model.parameters())

    def after_train(self) -> None:
        """Let all validate the same: running statistics are those of the first process."""
        averages = [cb.average.module for cb in self.learn.cbs if isinstance(cb, Ema)]
        for model in (self.learn.model, *averages):
            distributed.copy_from_first(model.buffers())

    def after_fit(self) -> None:
        self.learn.parallel, self.wrapped, self.trained = None, None, []

    @contextmanager
    def step(self) -> Iterator[nn.Module]:
        """Give the model to call; gradients are averaged where a step is whole, not before."""
        assert self.wrapped is not None
        if self.afterwards or step_is_whole(self.learn, self.batches):
            yield self.wrapped
        else:
            with self.wrapped.no_sync():
                yield self.wrapped


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Give parameters the mean of all processes' gradients; what nobody used keeps none."""
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    used = torch.tensor([p.grad is not None for p in trained], dtype=torch.float32)
    users = distributed.add_up(used.to(trained[0].device)).tolist()
    for parameter, count in zip(trained, users, strict=True):
        if count:
            own = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            parameter.grad = distributed.add_up(own).div_(distributed.size())


def seed_step(seed: int, rank: int, step: int) -> None:
    """Let every global generator draw what is this process's alone at this step."""
    state = np.random.SeedSequence([seed, rank, step]).generate_state(3)
    torch.manual_seed(int(state[0]))
    np.random.seed(int(state[1]))  # noqa: NPY002 - libraries below us still draw from it
    random.seed(int(state[2]))


def parallel_callbacks(learn: Any, config: Config) -> list[Parallel]:
    """Return what several processes need to train as one, and make the learner's model fit for it.

    Raises:
        KitError: an option that they cannot follow.
    """
    if distributed.size() == 1:
        return []
    if getattr(learn.dls.train.sampler, "shard", None) is None:
        raise KitError(
            f"expected a loader that divides its batches among {distributed.size()} processes, got "
            "one that gives each of them all; make it with make_loader, after they have joined"
        )
    if config.train.sync_bn:
        if learn.device.type != "cuda":
            raise KitError(
                "expected GPUs for train.sync_bn=true with several processes, got "
                f"{learn.device.type}; set it to false"
            )
        from timm.layers import convert_sync_batchnorm

        learn.model = convert_sync_batchnorm(learn.model)
    return [Parallel(config.train.seed)]
