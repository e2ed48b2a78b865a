"""Same network, same photographs, same CPU time: the kit's baseline, fastai's and timm's.

Each contender trains the same timm network from random weights, in a process of its own, for the
number of epochs that fits into the CPU seconds given (two short trainings measure what start and
epoch cost). The kit runs as `kit new` makes it for random weights, all looks and loggers on; fastai
is `vision_learner(...).fit_one_cycle` with `Resize` and `aug_transforms`; timm is its training
script with its defaults, and once more with what suits a short training better: AdamW, batches of
32, one epoch of warm-up. Reported is validation accuracy on a stratified
fifth, the same for all: after the last epoch, and of the best.

`python tests/benchmarks/baselines.py DATA --timm path/to/train.py`; DATA holds train.csv of
image_id and label, and train/.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

os.environ.update(NO_ALBUMENTATIONS_UPDATE="1", WANDB_MODE="offline", WANDB_SILENT="true")

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedKFold

VALID = "is_valid"


def kit(frame: pd.DataFrame, work: Path, given: argparse.Namespace) -> list[float]:
    """Train as `kit train --experiment scratch` does."""
    from common.config import Config, DataConfig, ModelConfig, TrainConfig
    from common.data.build import fold_loaders
    from common.environment import seed_everything
    from common.keys import FOLD, IMAGE_ID, LABEL
    from common.learners.classification import make_learner
    from common.learners.recipe import train_run
    from common.metrics.choose import choose_metrics
    from common.models.classifier import make_classifier
    from common.runs import Run

    classes = tuple(sorted(frame.label.unique()))
    config = Config(
        competition="baselines",
        classes=classes,
        metric="accuracy",
        data=DataConfig(img_size=given.size, augment="light", num_workers=1),
        model=ModelConfig(name=given.model, weights="none"),
        train=TrainConfig(epochs=given.epochs, batch_size=32, lr=3e-3, seed=given.seed),
    )
    table = pd.DataFrame(
        {
            IMAGE_ID: frame.name,
            "path": frame.path,
            LABEL: frame.label.map(classes.index),
            FOLD: np.where(frame[VALID], 0, 1),
        }
    )
    seed_everything(config.train.seed)
    run = Run.create(work / "baselines" / "scratch" / "fold0", config, False)
    metrics = choose_metrics(config, ())
    loaders = fold_loaders(table, run.fold, config, run.cache)
    learner = make_learner(make_classifier(config), *loaders, metrics, config)
    train_run(learner, config, run, metrics, False)
    lines = map(json.loads, (run.folder / "metrics.jsonl").read_text().splitlines())
    return [line["valid/accuracy"] for line in lines if "valid/accuracy" in line]


def fastai(frame: pd.DataFrame, work: Path, given: argparse.Namespace) -> list[float]:
    """Train as fastai's tutorial does, defaults throughout."""
    from fastai.vision.all import ImageDataLoaders, Resize, accuracy, aug_transforms, set_seed
    from fastai.vision.all import vision_learner as make

    set_seed(given.seed)
    loaders = ImageDataLoaders.from_df(
        frame,
        "/",
        fn_col="path",
        label_col="label",
        valid_col=VALID,
        item_tfms=Resize(given.size),
        batch_tfms=aug_transforms(),
        num_workers=1,
    )
    learner = make(loaders, given.model, pretrained=False, metrics=accuracy, path=work)
    learner.fit_one_cycle(given.epochs)
    return [float(row[-1]) for row in learner.recorder.values]


def timm(frame: pd.DataFrame, work: Path, given: argparse.Namespace, *more: str) -> list[float]:
    """Train by timm's script on a folder of links."""
    for row in frame.itertuples():
        folder = work / ("validation" if row.is_valid else "train") / row.label
        folder.mkdir(parents=True, exist_ok=True)
        (folder / row.name).symlink_to(row.path)
    options = {
        "data-dir": work,
        "model": given.model,
        "num-classes": frame.label.nunique(),
        "img-size": given.size,
        "epochs": given.epochs,
        "seed": given.seed,
        "device": "cpu",
        "workers": 1,
        "output": work / "out",
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    subprocess.run(
        [sys.executable, given.timm, *words, "--no-prefetcher", *more],
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    summary = pd.read_csv(next((work / "out").rglob("summary.csv")))
    return [top1 / 100 for top1 in summary.eval_top1]


def timm_adamw(frame: pd.DataFrame, work: Path, given: argparse.Namespace) -> list[float]:
    """Train by timm's script with an optimiser for short trainings."""
    more = ("--opt=adamw", "--lr=1e-3", "--weight-decay=0.05", "--warmup-epochs=1", "-b=32")
    return timm(frame, work, given, *more)


CONTENDERS: dict[str, Callable[..., list[float]]] = {
    "kit": kit,
    "fastai": fastai,
    "timm": timm,
    "timm_adamw": timm_adamw,
}


def read_frame(data: Path, seed: int) -> pd.DataFrame:
    """Return name, label, path and which fifth is validated on."""
    frame = pd.read_csv(data / "train.csv").rename(columns={"image_id": "name"})
    frame["path"] = [str((data / "train" / name).resolve()) for name in frame.name]
    splits = StratifiedKFold(5, shuffle=True, random_state=seed).split(frame, frame.label)
    frame[VALID] = np.isin(np.arange(len(frame)), next(splits)[1])
    return frame


def run_apart(contender: str, epochs: int, seed: int, given: argparse.Namespace) -> tuple:
    """Return the CPU seconds of a training in its own process, and its accuracies."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    words = [str(given.data), "--only", contender, "--epochs", str(epochs), "--seeds", str(seed)]
    words += ["--size", str(given.size), "--model", given.model, "--timm", str(given.timm)]
    done = subprocess.run(
        [sys.executable, __file__, *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, json.loads(done.stdout.splitlines()[-1])


def main(given: argparse.Namespace) -> None:
    """Print each contender's accuracies, and their means over the seeds."""
    epochs = {}
    for name in CONTENDERS:
        one, three = (run_apart(name, count, 0, given)[0] for count in (1, 3))
        epoch = (three - one) / 2
        epochs[name] = max(1, round((given.seconds - (one - epoch)) / epoch))
        print(f"{name}: start {one - epoch:.0f} s, epoch {epoch:.1f} s", flush=True)
    last: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    best: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for seed in given.seeds:
        for name in CONTENDERS:
            seconds, found = run_apart(name, epochs[name], seed, given)
            last[name].append(found[-1])
            best[name].append(max(found))
            scores = f"last {found[-1]:.4f}, best {max(found):.4f}"
            print(f"seed {seed} {name}: {len(found)} epochs, {seconds:.0f} s: {scores}", flush=True)
    for name in CONTENDERS:
        print(f"{name:12} last {np.mean(last[name]):.4f}  best {np.mean(best[name]):.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", help="without it nothing is measured")
    parser.add_argument("--timm", type=Path, help="timm's train.py")
    parser.add_argument("--model", default="resnet18")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=150)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--only", choices=CONTENDERS, help="one training, of --epochs")
    parser.add_argument("--epochs", type=int, default=1)
    arguments = parser.parse_args()
    if not (arguments.data and arguments.timm):
        print("left out: name photographs, and timm's script by --timm")
    elif arguments.only:
        arguments.seed = arguments.seeds[0]
        with TemporaryDirectory() as folder:
            frame = read_frame(arguments.data, arguments.seed)
            print(json.dumps(CONTENDERS[arguments.only](frame, Path(folder), arguments)))
    else:
        start = time.perf_counter()
        main(arguments)
        print(f"{time.perf_counter() - start:.0f} s")
