"""Can the model learn a few samples by heart?"""

import math
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from common.config import Config
from common.data.audit.finding import Finding, ok, problem, warning
from common.keys import IMAGE
from common.learners.base import Learner, parameter_groups
from common.learners.sanity.theory import floor_of

SAMPLES, STEPS, SECONDS = 8, 100, 60.0
LEARNT, FALLING, STUCK = 0.3, 0.7, 0.9  # of the loss above its floor is left
FEW_STEPS = 20  # of which nothing can be said
CHECK = "one batch by heart"
REMEDY = (
    "training would not learn either: look at the preview whether labels fit pictures, and whether "
    "all outputs reach the loss, the loss the weights (requires_grad, detach), and train.lr is sane"
)


class Fall(NamedTuple):
    """How the loss above its floor fell: first, last, after how many steps."""

    first: float
    last: float
    steps: int

    @property
    def left(self) -> float:
        """Share of the loss that is left."""
        return self.last / max(self.first, 1e-9)

    def __str__(self) -> str:
        return f"loss {self.first:.3g} → {self.last:.3g} in {self.steps} steps"


def one_batch(
    learner: Learner,
    batch: Mapping[str, Any],
    config: Config,
    steps: int = STEPS,
    seconds: float = SECONDS,
) -> Finding:
    """Train on the first samples of a batch until 30 % of the loss is left; changes the weights.

    Where the loss does not fall, a tenth of the learning rate is tried from the same start.
    """
    few = first_rows(batch, SAMPLES)
    floor = _floor(learner, config)
    start = {name: value.clone() for name, value in learner.model.state_dict().items()}
    fall = _learn(learner, few, learner.lr, floor, steps, seconds)
    said = f"{min(SAMPLES, len(batch[IMAGE]))} samples: {fall}"
    if not math.isfinite(fall.last):
        return problem(CHECK, said, "lower train.lr, or set train.clip_norm=1; " + REMEDY)
    if fall.left <= FALLING or (fall.steps < FEW_STEPS and fall.steps < steps):
        slow = "" if fall.left <= LEARNT else "; falling, and no more time"
        return ok(CHECK, said + slow)
    learner.model.load_state_dict(start)
    slower = _learn(learner, few, learner.lr / 10, floor, steps, seconds)
    if math.isfinite(slower.last) and slower.left <= FALLING:
        remedy = "lower train.lr: with a tenth of it the loss falls"
        return warning(CHECK, f"{said}; with a tenth of train.lr {slower}", remedy)
    if fall.left > STUCK:
        return problem(CHECK, said, REMEDY)
    return warning(CHECK, said, "it learns very slowly: raise train.lr, or take a larger model")


def first_rows(batch: Mapping[str, Any], count: int) -> dict[str, Any]:
    """Return the first samples of a batch."""
    return {key: value[:count] for key, value in batch.items()}


def _learn(
    learner: Learner,
    batch: dict[str, Any],
    lr: float,
    floor: float,
    steps: int,
    seconds: float,
) -> Fall:
    model, losses, begin = learner.model.train(), list[float](), time.monotonic()
    optimiser = learner.opt_func(parameter_groups(model), lr=lr).opt
    while len(losses) <= steps and time.monotonic() - begin < seconds:
        loss: Tensor = learner.loss_func(model(batch), batch)
        losses.append(float(loss.detach()) - floor)
        if not math.isfinite(losses[-1]) or losses[-1] <= LEARNT * losses[0]:
            break
        optimiser.zero_grad()
        if loss.requires_grad:  # else nothing of the model is trained, and the loss will show it
            loss.backward()
        optimiser.step()
    return Fall(losses[0], losses[-1], len(losses) - 1)


def _floor(learner: Learner, config: Config) -> float:
    smoothing, classes = config.train.label_smoothing, len(config.classes)
    terms = learner.loss_func.terms
    return sum(term.weight * floor_of(term, classes, smoothing) for term in terms)


def on_device(learner: Learner, count: int) -> list[dict[str, Any]]:
    """Return the first batches of training, as many as hold `count` samples or more."""
    batches, samples = list[dict[str, Any]](), 0
    for batch in learner.dls.train:
        batches.append(learner._set_device(batch))
        samples += len(batch[IMAGE])
        if samples >= count:
            break
    return batches
