"""The ladder: baseline, options one by one, recipe, views, all folds, a second network, the blend.

Every training has the same CPU budget. The recipe is the option, or all that helped together, that
is best on fold 0; a fifth of the pictures is held out and chooses nothing. Prints a line for each
rung: the score out of fold, held out, CPU seconds of training, CPU milliseconds of an image.

`python tests/benchmarks/ladder.py DATA --budget 100`; DATA holds train/ and train.csv of image_id
and label (accuracy), or train_masks/ as well (IoU over all pixels).
"""

import argparse
import json
import os
import time
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"

import numpy as np
import pandas as pd
import torch
from planted.task import PARTS
from sklearn.model_selection import train_test_split

from common.config import Config, DataConfig, LogConfig, ModelConfig, PredictConfig, TrainConfig
from common.data.folds import fold_frame
from common.data.image import read_image
from common.data.masks import read_mask
from common.environment import seed_everything
from common.inference.classification import predict_classes
from common.inference.segmentation import predict_masks
from common.keys import IMAGE_ID, LABEL, MASK, PATH
from common.learners.recipe import train_run
from common.metrics.choose import choose_metrics
from common.runs import Run

GROWTH = 0.7  # what an epoch of growing images costs, of one of full size
CLASSES = (
    {"model.name": "resnet18", "data.img_size": 64, "train.batch_size": 32, "train.lr": 3e-3},
    {
        "grow": {"data.start_size": 32},
        "ema": {"train.ema_decay": 0.98},
        "smooth": {"train.label_smoothing": 0.1},
        "cutmix": {"train.cutmix": 1.0},
        "flip": {"data.augment": "flip"},
        "flat": {"train.schedule": "flat_cosine"},
    },
    {"model.name": "resnet10t"},
)
MASKS = (
    {
        "model.name": "test_byobnet",
        "model.decoder": "unet",
        "model.decoder_arguments": {"decoder_channels": (32, 24, 16, 12, 8)},
        "model.channels_last": True,
        "data.img_size": 256,
        "data.augment": "dihedral",
        "train.batch_size": 4,
        "train.lr": 5e-3,
    },
    {
        "ema": {"train.ema_decay": 0.98},
        "windows": {"data.img_size": 128, "train.batch_size": 8},
        "medium": {"data.augment": "medium"},
        "flat": {"train.schedule": "flat_cosine"},
    },
    {
        "model.decoder": "fpn",
        "model.decoder_arguments": {
            "decoder_pyramid_channels": 32,
            "decoder_segmentation_channels": 32,
        },
    },
)


class Ladder:
    """Trains, scores and prints; rungs are configs."""

    def __init__(
        self, frame: pd.DataFrame, held: pd.DataFrame, config: Config, place: Path
    ) -> None:
        self.frame, self.held, self.place = (
            fold_frame(place / "folds.csv", frame, config),
            held,
            place,
        )
        self.used: dict[str, float] = {}  # CPU seconds of a run

    def fit(self, config: Config, name: str, fold: int = 0) -> Run:
        """Train one fold, quietly."""
        loaders, make_model, make_learner = PARTS[config.task]
        run, start = (
            Run.create(self.place / name / f"fold{fold}", config, False),
            time.process_time(),
        )
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            seed_everything(config.train.seed)
            metrics = choose_metrics(config, ())
            learner = make_learner(
                make_model(config), *loaders(self.frame, fold, config), metrics, config
            )
            train_run(learner, config, run, metrics, False)
        self.used[run.name] = time.process_time() - start
        return run

    def budgeted(self, config: Config, name: str, budget: float) -> Config:
        """Return the config with as many epochs as fit, by a training of two."""
        short = config.model_copy(update={"train.epochs": 2, "data.start_size": None})
        epoch = self.used[self.fit(short, f"cost of {name}").name] / 2
        share = GROWTH if config.data.start_size else 1
        return config.model_copy(update={"train.epochs": max(2, round(budget / epoch / share))})

    def predict(self, runs: list[Run], rows: pd.DataFrame, options: PredictConfig) -> np.ndarray:
        """Return `(N, C)` probabilities, or `(N,)` masks of them."""
        paths, frame = [run.best() for run in runs], rows[[IMAGE_ID, PATH]]
        if runs[0].config.task == "classification":
            return predict_classes(paths, frame, options).iloc[:, 1:].to_numpy()
        found = [mask for _, mask in predict_masks(paths, frame, options, num_workers=0)]
        result = np.empty(len(found), object)
        result[:] = found
        return result

    def out_of_fold(self, members: list[list[Run]], options: PredictConfig) -> float:
        """Return the score of the mean over members, each the runs of the same folds."""
        parts = []
        for runs in zip(*members, strict=True):
            rows = self.frame[self.frame.fold == runs[0].fold]
            parts.append((rows, sum(self.predict([r], rows, options) for r in runs) / len(runs)))
        return score(pd.concat([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))

    def tell(self, rung: str, members: list[list[Run]], options: PredictConfig) -> float:
        """Print a rung; return its score out of fold."""
        runs = [run for member in members for run in member]
        found, start = self.out_of_fold(members, options), time.process_time()
        held = score(self.held, self.predict(runs, self.held, options))
        cost = 1000 * (time.process_time() - start) / len(self.held)
        seconds = sum(self.used[run.name] for run in runs)
        print(f"{rung:28} {found:.4f}  {held:.4f}  {seconds:5.0f} s  {cost:6.1f} ms", flush=True)
        return found


def score(rows: pd.DataFrame, found: np.ndarray) -> float:
    """Return the accuracy of classes, or the IoU over all pixels of masks."""
    if MASK not in rows:
        return float((found.argmax(1) == rows[LABEL]).mean())
    inter = union = 0
    for path, text, mask in zip(rows[PATH], rows[MASK], found, strict=True):
        truth = read_mask(text, *read_image(path).shape[:2]) > 0
        inter += (truth & (mask > 0.5)).sum()
        union += (truth | (mask > 0.5)).sum()
    return float(inter / union)


def read(data: Path) -> tuple[pd.DataFrame, Config]:
    """Return all labelled pictures and what every config shares."""
    table, task = pd.read_csv(data / "train.csv"), "classification"
    files = {file.stem: file for file in (data / "train").iterdir()}
    frame = pd.DataFrame(
        {IMAGE_ID: table.image_id, PATH: [str(files[Path(i).stem]) for i in table.image_id]}
    )
    names: tuple[str, ...] = ("object",)
    if (data / "train_masks").is_dir():
        task = "segmentation"
        frame[MASK] = [str(data / "train_masks" / f"{i}.png") for i in table.image_id]
    else:
        names = tuple(sorted(table.label.unique()))
        frame[LABEL] = table.label.map(names.index)
    config = Config(
        competition="ladder",
        task=task,
        classes=names,
        metric="iou" if task == "segmentation" else "accuracy",
        data=DataConfig(
            num_workers=0, fold_kind="random" if task == "segmentation" else "stratified"
        ),
        model=ModelConfig(weights="none"),
        train=TrainConfig(),
        log=LogConfig(loggers=("local",)),
    )
    return frame, config


def climb(ladder: Ladder, config: Config, steps: tuple, budget: float) -> None:
    """Go from rung to rung."""
    plain = PredictConfig()
    base, options, other = steps
    configs = {"baseline": config.model_copy(update=base)}
    configs |= {name: configs["baseline"].model_copy(update=o) for name, o in options.items()}
    runs, scores = {}, {}
    for name, rung in configs.items():
        configs[name] = ladder.budgeted(rung, name, budget)
        runs[name] = ladder.fit(configs[name], name)
        scores[name] = ladder.tell(
            f"{name}, {configs[name].train.epochs} epochs", [[runs[name]]], plain
        )
    helped = [name for name in options if scores[name] > scores["baseline"]]
    if len(helped) > 1:
        update = {key: value for name in helped for key, value in options[name].items()}
        together = configs["baseline"].model_copy(update=update)
        configs["together"] = ladder.budgeted(together, "together", budget)
        runs["together"] = ladder.fit(configs["together"], "together")
        scores["together"] = ladder.tell(" + ".join(helped), [[runs["together"]]], plain)
    recipe = max(scores, key=lambda name: scores[name])
    views = {name: PredictConfig(tta=name) for name in ("none", "flip", "mirrors", "d4")}
    seen = {n: ladder.tell(f"{recipe}, {n}", [[runs[recipe]]], o) for n, o in views.items()}
    chosen = views[max(seen, key=lambda name: seen[name])]
    folds = range(config.data.n_folds)
    first = [runs[recipe], *(ladder.fit(configs[recipe], recipe, fold) for fold in folds[1:])]
    ladder.tell("all folds", [first], chosen)
    second = ladder.budgeted(configs[recipe].model_copy(update=other), "other", budget)
    others = [ladder.fit(second, "other", fold) for fold in folds]
    ladder.tell(f"second network, {second.train.epochs} epochs", [others], chosen)
    ladder.tell("mean of both", [first, others], chosen)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", help="without it nothing is measured")
    parser.add_argument("--budget", type=float, default=100, help="CPU seconds of a training")
    parser.add_argument("--rows", type=int, help="of the table, for a quick look")
    given = parser.parse_args()
    if given.data is None:
        raise SystemExit(print("left out: name a folder of labelled pictures"))
    torch.set_num_threads(1)
    everything, shared = read(given.data)
    everything = everything.head(given.rows or len(everything))
    kept, held_out = train_test_split(
        everything, test_size=0.2, random_state=0, stratify=everything.get(LABEL)
    )
    print(json.dumps({"kept": len(kept), "held out": len(held_out)}))
    with TemporaryDirectory() as work:
        small = Ladder(kept.reset_index(drop=True), held_out, shared, Path(work) / "ladder")
        climb(small, shared, MASKS if shared.task == "segmentation" else CLASSES, given.budget)
