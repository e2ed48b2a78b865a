"""What a batch costs beside the network: normalising, handing over, statistics of gradients.

`python tests/benchmarks/batches.py`
"""

import os

os.environ.update(NO_ALBUMENTATIONS_UPDATE="1")
import time
import warnings
from functools import partial

import timm
import torch
from table import paired, tell
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from common.callbacks.looks.layers import gradient_statistics
from common.data.loaders import make_loader
from common.inference.predict import look
from common.inference.views import VIEWS, Pass
from common.keys import IMAGE, INDEX
from common.models.classifier import Classifier
from common.models.normalise import Normalise

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
COUNT, SIDE = 64, 256


def normalise() -> None:
    """Compare normalising a batch with fastai's way."""
    from fastai.data.transforms import IntToFloatTensor, Normalize
    from fastai.vision.core import TensorImage

    ours, theirs = Normalise(MEAN, STD), Normalize.from_stats(MEAN, STD, cuda=False)
    to_float, against = IntToFloatTensor(), "fastai IntToFloat + Normalize"
    why = "half is converting, and new floats wait for memory, where both ways are alike; fused "
    why += "(addcmul, batch_norm) or picture by picture is no quicker in a loader"
    for count, side in ((8, 224), (32, SIDE)):
        batch = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)
        images = TensorImage(batch)
        torch.testing.assert_close(ours(batch), Tensor(theirs(to_float(images))))
        runs = partial(ours, batch), lambda images=images: theirs(to_float(images))
        _, _, ratio = paired(*runs, 31)
        tell(f"normalising uint8, {count} x {side} px", against, ratio, 0.35, why=why)


class Same(Dataset):
    """One image again and again: what is left is the hand-over."""

    def __init__(self, dtype: torch.dtype, count: int = COUNT) -> None:
        self.image, self.count = torch.zeros((3, SIDE, SIDE), dtype=dtype), count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict:
        return {IMAGE: self.image, INDEX: index}


def hand_over() -> None:
    """Compare what comes through a worker: uint8 as the kit sends it, float32 as usual."""
    ours = make_loader(
        Same(torch.uint8, 512), 32, shuffle=False, seed=0, num_workers=1, pin_memory=False
    )
    usual = DataLoader(Same(torch.float32, 512), 32, num_workers=1, persistent_workers=True)
    _, _, ratio = paired(lambda: list(map(len, ours)), lambda: list(map(len, usual)), 7, wall)
    tell("hand-over from one worker", "the same as float32, by the wall clock", ratio, 0.4)


def gradients() -> None:
    """Compare a look at the gradients, every 50th step, with a step without."""
    model = timm.create_model("resnet18", num_classes=10)
    optimiser = torch.optim.AdamW(model.parameters(), fused=True)
    batch, target = torch.rand(8, 3, 64, 64), torch.randint(0, 10, (8,))

    def step() -> None:
        nn.functional.cross_entropy(model(batch), target).backward()
        optimiser.step()
        optimiser.zero_grad()

    nn.functional.cross_entropy(model(batch), target).backward()
    kept = [p.grad.clone() for p in model.parameters()]
    _, _, ratio = paired(lambda: gradient_statistics(kept), step, 15)
    tell("a step with gradient statistics, 8 x 64 px", "a step without", 1 + ratio, 1.1)
    tell("the same, on average (every 50th)", "a step without", 1 + ratio / 50, 1.01)


def channels_last() -> None:
    """Compare prediction in channels_last with the usual layout."""
    data = {"mean": MEAN, "std": STD}
    why = "dense 3 x 3 convolutions gain less than depthwise ones; the median is near the goal"
    for name in ("resnet18", "efficientnet_b0"):
        torch.manual_seed(0)
        plain = Classifier(timm.create_model(name, num_classes=10), data).eval()
        last = Classifier(timm.create_model(name, num_classes=10), data).eval()
        last.to(memory_format=torch.channels_last).channels_last = True
        batch = {IMAGE: torch.randint(0, 256, (8, 3, 224, 224), dtype=torch.uint8)}
        runs = [partial(look, model, batch, Pass(VIEWS["e"])) for model in (last, plain)]
        with torch.inference_mode():
            _, _, ratio = paired(*runs, 9)
        tell(f"inference, {name}, model.channels_last=true", "false", ratio, 0.85, why=why)


def wall() -> float:
    """Return a clock that counts the worker's time too."""
    return time.perf_counter()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    normalise()
    hand_over()
    gradients()
    channels_last()
