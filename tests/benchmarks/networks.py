"""Training steps of whole networks for all three tasks: images a second, against a bare loop.

On a GPU at the sizes of competitions, in half precision and channels_last; on a CPU small, to see
that it runs. The network, its loss, the batch and the optimiser are the same on both sides, which
take turns. `python tests/benchmarks/networks.py [NAME ...]`
"""

import os

os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", NO_ALBUMENTATIONS_UPDATE="1")
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import torch
from step import WARM_UP, Repeat
from step import batch as classes_batch
from table import tell

from common.callbacks.anomaly import guards
from common.callbacks.interrupt import Interrupt
from common.config import Config
from common.environment import to_device
from common.keys import BOXES, GROUP, LABEL, LABELS, MASK
from common.learners import classification, detection, segmentation
from common.learners.recipe import technique_callbacks, watching_callbacks
from common.loggers.factory import make_loggers
from common.losses.choose import classification_loss
from common.models.classifier import make_classifier
from common.models.detector import make_detector
from common.models.segmenter import make_segmenter

GPU = torch.cuda.is_available()
DEVICE = torch.device("cuda" if GPU else "cpu")
STEPS, ROUNDS = (40, 5) if GPU else (4, 3)
LOGGERS = ("wandb", "tensorboard", "local")


class Case(NamedTuple):
    """A network, what makes it and its Learner, and its batch on a GPU."""

    network: str
    task: str
    count: int  # images
    side: int  # pixels


CASES = (
    Case("resnet50", "classification", 128, 224),
    Case("convnext_tiny", "classification", 128, 224),
    Case("vit_small_patch16_224", "classification", 128, 224),
    Case("resnet34", "segmentation", 32, 512),
    Case("resnet50", "detection", 16, 512),
)
MAKERS = {
    "classification": (make_classifier, classification.make_learner, classification_loss),
    "segmentation": (make_segmenter, segmentation.make_learner, segmentation.segmentation_loss),
    "detection": (make_detector, detection.make_learner, detection.detection_loss),
}


class Steps(Repeat):
    """Waits for the device before it looks at the clock."""

    @staticmethod
    def clock() -> float:
        """Return seconds: of this process on a CPU, by the wall where a GPU does the work."""
        if not GPU:
            return time.process_time()
        torch.cuda.synchronize()
        return time.perf_counter()

    def __iter__(self):
        """Yield the batch; only the ends of the loop wait, or nothing would overlap."""
        for place in range(self.steps):
            if place == WARM_UP:
                self.times = [self.clock()]
            yield self.batch
        self.times.append(self.clock())

    def per_image(self) -> float:
        """Return seconds an image."""
        images = (self.steps - WARM_UP) * len(self.batch["index"])
        return (self.times[-1] - self.times[0]) / images


def config_of(case: Case, loggers: tuple[str, ...]) -> Config:
    """Return the configuration of both sides."""
    classes = ("a",) if case.task != "classification" else tuple("abcdefghij")
    plain = Config(competition="bench", task=case.task, classes=classes, metric="accuracy")
    return plain.model_copy(
        update={
            "model.name": case.network,
            "model.weights": "none",
            "model.channels_last": True,
            "train.epochs": 1,
            "train.amp": "bf16" if GPU else "none",
            "log.looks": "none",
            "log.loggers": loggers,
        }
    )


def batch_of(case: Case) -> dict[str, Any]:
    """Return a batch of random pictures, each with a square in the middle."""
    count, side = (case.count, case.side) if GPU else (4, 224 if "vit" in case.network else 96)
    made = classes_batch(count, side)
    low, high = side // 4, side // 2
    if case.task == "classification":
        return made
    del made[LABEL]
    if case.task == "detection":
        box = torch.tensor([[low, low, high, high]], dtype=torch.float32)
        return {**made, BOXES: [box] * count, LABELS: [torch.zeros(1, dtype=torch.int64)] * count}
    mask = torch.zeros(count, side, side, dtype=torch.uint8)
    mask[:, low:high, low:high] = 1
    return {**made, MASK: mask, GROUP: torch.zeros(count, dtype=torch.int64)}


def bare(case: Case, folder: Path) -> Callable[[dict[str, Any]], float]:
    """Return a loop with nothing around the network, its loss and the optimiser."""
    config = config_of(case, ())
    make_model, make_learner, make_loss = MAKERS[case.task]
    model, loss = make_model(config).to(DEVICE), make_loss(config)
    nothing = Repeat(batch_of(case), 1)
    optimiser = make_learner(model, nothing, nothing, [], config)
    optimiser.create_opt()
    half = partial(torch.autocast, "cuda", torch.bfloat16) if GPU else nullcontext

    def run(data: dict[str, Any]) -> float:
        steps = Steps(data, STEPS + WARM_UP)
        model.train()
        for one in steps:
            here = to_device(one, DEVICE)
            with half():
                value = loss(model(here), here)
            value.backward()
            optimiser.opt.opt.step()
            optimiser.opt.opt.zero_grad()
        return steps.per_image()

    return run


def kit(
    case: Case, folder: Path, loggers: tuple[str, ...] = ()
) -> Callable[[dict[str, Any]], float]:
    """Return the kit's loop as `kit train` has it, without looks at samples."""
    config = config_of(case, loggers)
    make_model, make_learner, _ = MAKERS[case.task]
    model = make_model(config)
    titles = {"project": "bench", "name": "bench", "group": "bench"}
    logger = make_loggers(loggers, folder / str(len(loggers)), **titles)
    watching = [*watching_callbacks(config, logger), *guards(config, logger, folder / "anomalies")]
    callbacks = [*technique_callbacks(config), *watching, Interrupt()]

    def run(data: dict[str, Any]) -> float:
        steps = Steps(data, STEPS + WARM_UP)
        learner = make_learner(model, steps, Repeat(data, 1), [], config)
        learner.add_cbs(callbacks)
        with redirect_stdout(StringIO()):
            learner.fit(1)
        learner.remove_cbs(callbacks)
        return steps.per_image()

    return run


def compare(case: Case) -> None:
    """Tell images a second of all sides, and our share of the bare loop's time."""
    data = batch_of(case)
    with TemporaryDirectory() as name:
        folder = Path(name)
        sides = {
            "bare": bare(case, folder),
            "no loggers": kit(case, folder),
            "all loggers": kit(case, folder, LOGGERS),
        }
        rounds = [{side: run(data) for side, run in sides.items()} for _ in range(ROUNDS)]
    what = f"a step of {case.network}, {case.task}, {tuple(data['image'].shape)}"
    for side in sides:
        speed = 1 / median(times[side] for times in rounds)
        print(f"{what}: {side} {speed:.0f} images/s")
    for side in ("no loggers", "all loggers"):
        ratio = median(times[side] / times["bare"] for times in rounds)
        tell(f"{what}, {side}", f"bare loop, {DEVICE.type}", ratio, 1.03)


if __name__ == "__main__":
    torch.set_num_threads(1)
    asked = sys.argv[1:]
    for case in CASES:
        if not asked or case.network in asked or case.task in asked:
            compare(case)
