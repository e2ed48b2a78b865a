"""Time of prediction per image against a bare inference_mode loop and fastai's get_preds.

Also the time of 8 views against 1, of a real network, and the bytes per sample that an evaluation
keeps. `python tests/benchmarks/predict.py`
"""

import os

os.environ.update(NO_ALBUMENTATIONS_UPDATE="1")
import time
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import fastai.callback.progress  # noqa: F401 - gives its Learner no_bar
import numpy as np
import pandas as pd
import timm
import torch
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader as FastaiLoader
from fastai.learner import Learner as FastaiLearner
from table import paired, tell
from torch import nn
from torch.utils.data import DataLoader, Dataset

from common.config import PredictConfig
from common.data.dataset import ImageDataset
from common.data.loaders import collate
from common.data.tolerant import tolerant_loader
from common.data.transforms import valid_transforms
from common.evaluation import Gather
from common.inference.budget import Budget
from common.inference.outcome import Outcome
from common.inference.predict import predict
from common.inference.views import passes_of
from common.keys import IMAGE, IMAGE_ID, INDEX, LOGITS, LOSS, PREDICTION, TARGET
from common.models.classifier import Classifier
from common.models.normalise import Normalise
from common.models.outputs import predicted


class Images(Dataset):
    """Images in memory as dicts."""

    def __init__(self, count: int, side: int) -> None:
        self.images = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict:
        return {IMAGE: self.images[index], INDEX: index, IMAGE_ID: str(index)}


class Tiny(nn.Module):
    """A network whose own time is next to nothing."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.normalise, self.out = Normalise((0.5,) * 3, (0.2,) * 3), nn.Linear(3 * side * side, 10)

    def forward(self, batch: dict | torch.Tensor) -> dict | torch.Tensor:
        if isinstance(batch, torch.Tensor):
            return self.out(self.normalise(batch).flatten(1))
        return {LOGITS: self.out(self.normalise(batch[IMAGE]).flatten(1))}


def loops(dataset: Images, model: Tiny) -> dict[str, Callable[[], object]]:
    """Return the three ways to predict the whole set."""
    loader = DataLoader(dataset, 64, collate_fn=collate)
    pairs = [(image, 0) for image in dataset.images]
    fastai = FastaiLoader(pairs, bs=64)
    learner = FastaiLearner(DataLoaders(fastai, fastai), model, nn.CrossEntropyLoss())

    def bare() -> torch.Tensor:
        with torch.inference_mode():
            return torch.cat([model(batch)[LOGITS].float().softmax(1) for batch in loader])

    def get_preds() -> object:
        with learner.no_bar():
            return learner.get_preds(dl=fastai, act=lambda logits: logits.softmax(1))

    return {
        "bare loop": bare,
        "kit predict": lambda: kit(model, dataset, PredictConfig()),
        "fastai get_preds": get_preds,
    }


def kit(model: nn.Module, dataset: Images, options: PredictConfig) -> np.ndarray:
    """Predict as `predict_classes` does, without its checkpoints and files."""
    count, passes, outcome = len(dataset), passes_of(options), Outcome()
    frame = pd.DataFrame(index=range(count))
    loader = tolerant_loader(dataset, 64, 0)
    budget = Budget(options, count, 1, len(passes), outcome)
    budget.start_model(0)
    total = np.zeros((count, 10), np.float32)
    device = torch.device("cpu")
    for rows, values in predict(model, loader, predicted, frame, passes, budget, outcome, device):
        total[rows] += values
    return total


def views(count: int, side: int, rounds: int) -> None:
    """Print the time of 8 views against 1, and of 1 with a limit that is far, side by side."""
    body = timm.create_model("resnet18", num_classes=10)
    model = Classifier(body, {"mean": (0.5,) * 3, "std": (0.2,) * 3}).eval()
    dataset = Images(count, side)
    runs = {
        "one view": PredictConfig(),
        "one view, a limit": PredictConfig(time_limit=100),
        "flip": PredictConfig(tta="flip"),
        "d4": PredictConfig(tta="d4"),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, options in runs.items():
            started = time.process_time()
            kit(model, dataset, options)
            if number:  # the first round warms up
                times[name].append(time.process_time() - started)
    base = np.array(times["one view"])
    for name, values in times.items():
        each = np.median(values) / count * 1e3
        ratio = np.median(np.array(values) / base)
        print(f"resnet18, {side} pixels, {name:18} {each:6.2f} ms/image  ratio {ratio:6.3f}")


def compare(count: int, side: int, rounds: int) -> None:
    """Print the time per image and the median ratio to the bare loop of the same round."""
    runs = loops(Images(count, side), Tiny(side).eval())
    times: dict[str, list[float]] = {name: [] for name in runs}
    for number in range(rounds + 1):
        for name, run in runs.items():
            started = time.process_time()
            run()
            if number:  # the first round warms up
                times[name].append(time.process_time() - started)
    base = np.array(times["bare loop"])
    for name, values in times.items():
        each = np.median(values) / count * 1e6
        ratio = np.median(np.array(values) / base)
        print(f"{name:18} {each:8.2f} us/image  ratio {ratio:6.3f}")
    added = {name: np.array(values) - base for name, values in times.items()}
    share = float(np.median(added["kit predict"] / added["fastai get_preds"]))
    tell("what prediction adds to a bare loop", "what get_preds adds", share, 0.3)


def memory(count: int, classes: int) -> None:
    """Print what one evaluation keeps of a sample."""
    gather = Gather(count)
    for start in range(0, count, 100):
        index = torch.arange(start, start + 100)
        kept = {TARGET: index % classes, PREDICTION: torch.rand(100, classes)}
        ids = [f"{number:08d}" for number in index.tolist()]
        gather.add(
            {INDEX: index, IMAGE_ID: ids, **kept}, {"term": torch.rand(100)}, torch.rand(100)
        )
    evaluation = gather.evaluation()
    print(
        f"evaluation of {count} samples, {classes} classes: "
        f"{evaluation.bytes_per_sample:.0f} bytes per sample beside the id ({LOSS}, index, ...)"
    )


def jpeg_views() -> None:
    """Compare 4 views of JPEG files, read once, with one view of them."""
    from tempfile import TemporaryDirectory

    from loader import write_photos

    model = Tiny(224).eval()
    with TemporaryDirectory() as folder:
        paths = write_photos(Path(folder))
        frame = pd.DataFrame({"image_id": [p.name for p in paths], "path": list(map(str, paths))})
        dataset = ImageDataset(frame, valid_transforms(224), min_side=224, target=None)
        one, four = (
            partial(kit, model, dataset, PredictConfig(tta=t)) for t in ("none", "mirrors")
        )
        _, _, ratio = paired(four, one, 7)
    tell("4 views of 512 px JPEG, bound by reading", "one view", ratio, 1.6)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    jpeg_views()
    compare(count=6400, side=16, rounds=9)
    views(count=128, side=64, rounds=5)
    for classes in (4, 1000):
        memory(10_000, classes)
