"""What the end of an epoch costs: confusion matrices, pictures to W&B, counts of pixels.

`python tests/benchmarks/epochs.py [classes]`
"""

import os

os.environ.update(WANDB_MODE="offline", WANDB_SILENT="true", NO_ALBUMENTATIONS_UPDATE="1")
import sys
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from sklearn.metrics import confusion_matrix as sklearn_matrix
from table import paired, tell

from common.figures.confusion import confusion_figures, most_confused
from common.loggers.wandb import WandbLogger
from common.metrics.classification import confusion_matrix
from common.metrics.pixel_batches import confusion_batch

MOMENT = {"global_step": 1, "epoch": 1.0}


def matrices(classes: int, samples: int) -> None:
    """Compare the confusion matrix with scikit-learn's and torchmetrics', fed batch by batch."""
    from torchmetrics.functional.classification import multiclass_confusion_matrix as theirs

    rng = np.random.default_rng(0)
    target, found = rng.integers(0, classes, (2, samples))
    every = np.arange(classes)
    expected = sklearn_matrix(target, found, labels=every)
    np.testing.assert_array_equal(confusion_matrix(target, found, classes), expected)
    name = f"confusion matrix, {classes} classes, {samples} samples"
    ours = lambda: confusion_matrix(target, found, classes)  # noqa: E731
    _, _, ratio = paired(ours, lambda: sklearn_matrix(target, found, labels=every), 9)
    tell(name, "scikit-learn", ratio, 0.5)

    def by_batch() -> None:
        total = torch.zeros((classes, classes), dtype=torch.long)
        for pair in zip(*(torch.from_numpy(v).split(64) for v in (found, target)), strict=True):
            total += theirs(*pair, num_classes=classes, validate_args=False)

    _, _, ratio = paired(ours, by_batch, 2)
    tell(name, "torchmetrics, batches of 64", ratio, 0.01)


def to_wandb(classes: int, folder: Path) -> None:
    """Compare what the kit logs of a confusion matrix and of 64 pictures with W&B's own ways."""
    import wandb

    logger = WandbLogger(folder, project="bench", name="bench", group="bench", tags=[])
    rng = np.random.default_rng(0)
    target, found = rng.integers(0, classes, (2, 50_000))
    names = [f"class {number}" for number in range(classes)]

    def ours() -> None:
        matrix = confusion_matrix(target, found, classes)
        for name, figure in confusion_figures(matrix, names):
            logger.figure(name, figure, **MOMENT)
        logger.table("most_confused", most_confused(matrix, names, 50), **MOMENT)

    def theirs() -> None:
        plot = wandb.plot.confusion_matrix(
            y_true=target.tolist(), preds=found.tolist(), class_names=names
        )
        logger._run.log({"plot": plot})

    mine, _, ratio = paired(ours, theirs, 1)
    tell(
        f"confusion matrix to W&B, {classes} classes",
        "wandb.plot.confusion_matrix",
        ratio,
        0.005,
        why=f"{mine:.2f} s: a drawn figure with names of classes, a table, W&B's own calls",
    )
    pictures(logger, folder)
    logger.finish()


def pictures(logger: WandbLogger, folder: Path) -> None:
    """Compare time and bytes of 64 photographs."""
    import wandb
    from sklearn.datasets import load_sample_image

    photo = load_sample_image("china.jpg")
    rounds = [
        [np.ascontiguousarray(photo[r + n : r + n + 256, 4 * n : 4 * n + 256]) for n in range(64)]
        for r in range(0, 120, 30)  # new ones each time: the kit stores a known picture once
    ]
    mine, other = iter(rounds), iter(rounds)

    def ours() -> None:
        logger.table("pictures", [{"picture": image} for image in next(mine)], **MOMENT)

    def theirs() -> None:
        logger._run.log({f"own{n}": wandb.Image(image) for n, image in enumerate(next(other))})

    _, _, ratio = paired(ours, theirs, len(rounds) - 1)
    why = "as a list and in a table: W&B stores what is new in a table once more, in an artifact"
    tell("64 photographs of 256 px to W&B", "wandb.Image as it is (PNG)", ratio, 0.1, why=why)
    sizes = {kind: [f.stat().st_size for f in folder.rglob(f"*.{kind}")] for kind in ("jpg", "png")}
    size = np.median(sizes["jpg"]) / np.median(sizes["png"])
    tell("bytes of a photograph in W&B", "the same", float(size), 0.15, unit="of them")


def pixels(count: int, side: int, classes: int) -> None:
    """Compare counting pixels with smp's and with bincount over int64."""
    from segmentation_models_pytorch.metrics import get_stats

    found, target = torch.randint(0, classes, (2, count, side, side))
    small = found.to(torch.uint8), target.to(torch.uint8)
    ours = lambda: confusion_batch(*small, classes, 255)  # noqa: E731
    smp = lambda: get_stats(found, target, mode="multiclass", num_classes=classes)  # noqa: E731
    np.testing.assert_array_equal(ours().diagonal(dim1=1, dim2=2), smp()[0])
    name = f"pixel counts, {count} x {side} x {side}, {classes} classes"
    _, _, ratio = paired(smp, ours, 5)
    tell(name, "smp get_stats", ratio, 10, at_least=True, unit="times as fast")

    def wide() -> torch.Tensor:
        return torch.bincount((target * classes + found).flatten(), minlength=classes**2)

    _, _, ratio = paired(wide, ours, 5)
    tell(name, "torch.bincount of int64", ratio, 1.5, at_least=True, unit="times as fast")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    chosen = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    matrices(chosen, 50_000)
    pixels(64, 512, 8)
    with TemporaryDirectory() as place:
        to_wandb(chosen, Path(place))
