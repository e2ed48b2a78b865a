"""The dict-native Learner: fastai's loop over batches and outputs with named keys."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import fastai.callback.schedule  # noqa: F401 - adds fit_one_cycle, fine_tune and lr_find
import torch
from fastai.callback.core import CancelEpochException, TrainEvalCallback
from fastai.data.core import DataLoaders
from fastai.learner import Recorder
from torch import nn
from torch.utils.data import DataLoader

from common.callbacks.base import Again
from common.callbacks.evaluate import Evaluate
from common.callbacks.half_precision import refuse_half_weights
from common.callbacks.parallel import Parallel
from common.data.loaders import set_epoch, with_batch_size
from common.environment import device as find_device
from common.environment import to_device
from common.evaluation import Evaluation
from common.learners.dispatch import DispatchLearner
from common.learners.optimiser import ADAMW, check_optimiser, layer_groups, make_optimiser
from common.losses.terms import Loss
from common.metrics.base import Metric


class Learner(DispatchLearner):
    """Trains a model that maps a batch dict to an output dict.

    Everything of fastai's Learner works: fit, fit_one_cycle, fine_tune, freeze, lr_find, callbacks.
    After each validation `evaluation` holds what the model said of every sample. Sons say what
    `targets` and `predictions` are.

    Args:
        model: has `groups()` if its parts are to be frozen or get learning rates of their own.
        train_loader: batches with random order; with `set_epoch` order follows seed and epoch.
        valid_loader: batches in fixed order.
        metrics: computed over the whole validation, never averaged over batches.
    """

    def __init__(
        self,
        model: nn.Module,
        train_loader: DataLoader,
        valid_loader: DataLoader,
        loss: Loss,
        metrics: Sequence[Metric] = (),
        *,
        lr: float = 1e-3,
        weight_decay: float = 0.01,
        body_lr_factor: float = 1.0,
        layer_decay: float = 1.0,
        optimiser: str = ADAMW,
        callbacks: Sequence[Any] = (),
        device: torch.device | None = None,
    ) -> None:
        check_optimiser(optimiser)
        self.device = device or find_device()
        super().__init__(
            self._loaders(train_loader, valid_loader),
            model.to(self.device),
            loss,
            opt_func=partial(
                make_optimiser,
                weight_decay=weight_decay,
                body_lr_factor=body_lr_factor,
                layer_decay=layer_decay,
                name=optimiser,
            ),
            lr=lr,
            splitter=parameter_groups if layer_decay == 1 else layer_groups,
            cbs=[TrainEvalCallback(), Evaluate(metrics), *callbacks],
            path=Path(),
            default_cbs=False,
        )
        self.evaluation: Evaluation | None = None
        self.first_epoch, self.first_batch, self.interrupted = 0, 0, ""
        self.on_backward_error: Callable[[RuntimeError], None] | None = None
        self.parallel: Parallel | None = None  # while several processes fit
        self.known_thresholds: dict[str, float] = {}  # of a run that goes on, until it validates

    def targets(self, batch: Mapping[str, Any]) -> Any:
        """Return the truth of N samples, as the metrics take it."""
        raise TypeError(f"{type(self).__name__} does not say what its targets are")

    def predictions(self, outputs: Mapping[str, Any], batch: Mapping[str, Any]) -> Any:
        """Return what is predicted for N samples, as the metrics take it."""
        raise TypeError(f"{type(self).__name__} does not say what its predictions are")

    def auxiliary_scores(
        self, outputs: Mapping[str, Any], batch: Mapping[str, Any]
    ) -> dict[str, torch.Tensor]:
        """Return further `(N,)` scores of N samples, whose means are logged; NaN is unknown."""
        return {}

    def thresholds(self, evaluation: Evaluation) -> dict[str, float]:
        """Return what a checkpoint keeps for cutting predictions, tuned on this evaluation."""
        return {}

    @property
    def batch(self) -> dict[str, Any]:
        """The current batch, on the device."""
        return self.xb[0]

    def set_batch(self, batch: dict[str, Any]) -> None:
        """Replace the current batch: what the model reads and the loss compares with."""
        self.xb = self.yb = (batch,)

    def set_batch_size(self, batch_size: int) -> None:
        """Train on the same samples in the same order in batches of another size."""
        both = self.dls.loaders  # type: ignore[has-type]
        loaders = [with_batch_size(loader, batch_size) for loader in both]
        self.dls = self._loaders(*loaders)

    def fit(self, n_epoch: int, *args: Any, **kwargs: Any) -> None:
        """Train for `n_epoch` epochs; see fastai."""
        refuse_half_weights(self.model)
        super().fit(n_epoch, *args, **kwargs)

    def freeze(self) -> None:
        """Let only the head train (and norms of the body, as fastai does)."""
        self.freeze_to(self.head_start)

    @property
    def head_start(self) -> int:
        """How many of the optimiser's groups belong to the body."""
        names = [group["group_name"] for group in self._optimiser().param_groups]
        return sum(not name.startswith("head") for name in names)

    def lr_find(self, *args: Any, **kwargs: Any) -> Any:
        """Try rising learning rates on a copy of the weights and suggest one; see fastai."""
        place = self.path  # type: ignore[has-type]
        with self.added_cbs(Recorder()), TemporaryDirectory() as folder:
            self.path = Path(folder)  # fastai parks the weights in a file
            try:
                return super().lr_find(*args, **{"show_plot": False, **kwargs})
            finally:
                self.path = place

    def validate(self, *args: Any, **kwargs: Any) -> Evaluation:
        """Run the validation set once and return its evaluation."""
        super().validate(*args, **kwargs)
        assert self.evaluation is not None
        return self.evaluation

    def _loaders(self, *loaders: DataLoader) -> DataLoaders:
        both = DataLoaders(*loaders)
        both._device = self.device  # the setter would call methods that torch loaders lack
        return both

    def _optimiser(self) -> torch.optim.Optimizer:
        if self.opt is None:
            self.create_opt()
        return self.opt.opt

    def _do_fit(self) -> None:
        # fastai skips epochs with its events on, which confuses every callback that counts them.
        for epoch in range(self.first_epoch, self.n_epoch):
            self.epoch = epoch
            self._with_events(self._do_epoch, "epoch", CancelEpochException)
        self.first_epoch = 0

    def _do_epoch_train(self) -> None:
        set_epoch(self.dls.train, self.epoch, self.first_batch)
        super()._do_epoch_train()
        self.first_batch = 0

    def all_batches(self) -> None:
        """Run every batch of the current loader."""
        skipped = self.first_batch if self.training else 0
        self.n_iter = len(self.dl) + skipped
        for number, batch in enumerate(self.dl, skipped):
            self.one_batch(number, batch)

    def one_batch(self, number: int, batch: dict[str, Any]) -> None:
        """Run one batch, and once more if a callback asks for it."""
        try:
            super().one_batch(number, batch)
            return
        except Again:
            pass  # its traceback holds the tensors of the first time
        super().one_batch(number, batch)

    def settle(self) -> None:
        """Decide what is open about the last step; a fit that is watched on a GPU replaces it.

        Whoever keeps the state between two batches asks for it before.
        """

    def _do_one_batch(self) -> None:
        if self.parallel is None or not self.training:
            super()._do_one_batch()
            return
        with self.parallel.step() as model:
            self.pred = model(*self.xb)
            self("after_pred")
            self.loss_grad = self.loss_func(self.pred, *self.yb)
            self.loss = self.loss_grad.clone()
            self("after_loss")
            self.loss_grad = self.loss_grad * self.parallel.share  # so that their mean is right
            self._do_grad_opt()

    def _backward(self) -> None:
        try:
            super()._backward()
        except RuntimeError as error:  # a NaN, where torch's anomaly detection is on
            if self.on_backward_error is None:
                raise
            self.on_backward_error(error)

    def _set_device(self, batch: dict[str, Any]) -> dict[str, Any]:
        if self.device.type == "cpu":
            return batch
        return to_device(batch, self.device)

    def _split(self, batch: dict[str, Any]) -> None:
        self.set_batch(batch)


def parameter_groups(model: nn.Module) -> list[list[nn.Parameter]]:
    """Return the model's own groups, or all parameters in one."""
    groups: Callable[[], list[list[nn.Parameter]]] | None = getattr(model, "groups", None)
    return groups() if groups else [list(model.parameters())]
