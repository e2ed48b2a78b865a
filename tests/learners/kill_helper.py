"""Trains in forked children that are killed (SIGKILL) at planned or random moments.

Run by test_kill.py in a process of its own: heavy imports happen once, a child costs a training.
`python kill_helper.py FRAME.csv FOLDER WORKERS KILLS SEED` prints one JSON object.
"""

import os

os.environ.update(NO_ALBUMENTATIONS_UPDATE="1", OMP_NUM_THREADS="1")
import json
import random
import signal
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import torch
import torch.utils.tensorboard  # a second that each child would take

import common.loggers.local as local
import common.sealed as sealed
from common.callbacks.base import Callback
from common.config import Config, DataConfig, LogConfig, ModelConfig, TrainConfig
from common.data.build import fold_loaders
from common.environment import seed_everything
from common.learners.classification import make_learner
from common.learners.recipe import train_run
from common.metrics.choose import choose_metrics
from common.models.classifier import make_classifier
from common.runs import Run

KINDS = ("batch", "validation", "write", "sync", "move", "line", "delay")
MOST = {"batch": 8, "validation": 4, "write": 600, "sync": 12, "move": 10, "line": 16}


def config(workers: int) -> Config:
    return Config(
        competition="colours",
        classes=("blue", "green", "red"),
        metric="accuracy",
        watch=("macro_f1",),
        data=DataConfig(img_size=32, augment="medium", num_workers=workers, n_folds=3),
        model=ModelConfig(name="test_resnet", weights="none", drop_rate=0.3),
        train=TrainConfig(
            epochs=3,
            batch_size=4,
            lr=3e-3,
            seed=7,
            mixup=0.4,
            ema_decay=0.9,
            accumulate=2,
            clip_norm=1.0,
            deterministic=True,
            save_minutes=1e-6,
        ),
        log=LogConfig(loggers=("local", "tensorboard"), looks="none", every=4, strict=True),
    )


class At(Callback):
    """Counts batches of training or validation."""

    order = 55

    def __init__(self, training: bool, hit) -> None:
        self.training, self.hit = training, hit

    def after_batch(self):
        if self.learn.training == self.training:
            self.hit()


def counter(number: int):
    """Return a function whose call of that number kills this process."""
    calls = iter(range(number))

    def hit(first=lambda: None):
        if next(calls, None) is None:
            first()
            os.kill(os.getpid(), signal.SIGKILL)

    return hit


def plant(kind: str, number: int) -> list[Callback]:
    """Let this process die at a moment of a kind."""
    hit = counter(number)
    if kind in ("batch", "validation"):
        return [At(kind == "batch", hit)]
    if kind == "write":  # a block of a checkpoint, half of it on disk
        write = sealed.Hashing.write

        def half(self, data):
            hit(lambda: (self.file.write(bytes(data)[: len(data) // 2]), self.file.flush()))
            return write(self, data)

        sealed.Hashing.write = half
    if kind == "sync":  # all written, nothing moved
        sealed.os = SimpleNamespace(**{**vars(os), "fsync": lambda n: (hit(), os.fsync(n))})
    if kind == "move":  # between the moves of the last checkpoint and the one before, and after
        replace = Path.replace

        def move(self, target):
            done = replace(self, target)
            if self.suffix in (".partial", ".pt"):
                hit()
            return done

        Path.replace = move
    if kind == "line":  # half a line of metrics.jsonl
        write = local.LocalLogger._write

        def torn(self, name, *rest):
            hit(
                lambda: self._files[name].write('{"time": 1.0, "glob') and self._files[name].flush()
            )
            write(self, name, *rest)

        local.LocalLogger._write = torn
    return []


def train(config: Config, frame: pd.DataFrame, folder: Path, extra: list[Callback]) -> None:
    run = Run.create(folder, config, resume=True)
    resume = run.can_resume
    seed_everything(config.train.seed, config.train.deterministic)
    loaders = fold_loaders(frame, 0, config)
    metrics = choose_metrics(config)
    learner = make_learner(make_classifier(config), *loaders, metrics, config)
    learner.add_cbs(extra)
    train_run(learner, config, run, metrics, resume)


def session(config: Config, frame: pd.DataFrame, folder: Path, kind: str, number: float) -> str:
    """Train in a child; return how it ended: killed, finished or failed."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            log = os.open(folder.parent / "log.txt", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(log, 1)
            os.dup2(log, 2)
            print(f"--- {folder.name} {kind} {number}", flush=True)
            planted = plant(kind, int(number)) if kind not in ("", "delay") else []
            train(config, frame, folder, planted)
            code = 0
        finally:
            if code:
                import traceback

                traceback.print_exc()
            sys.stdout.flush()
            os._exit(code)
    if kind == "delay":
        time.sleep(number)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "killed"
    return "finished" if os.WEXITSTATUS(status) == 0 else "failed"


def main(frame: pd.DataFrame, root: Path, workers: int, kills: int, seed: int) -> dict:
    chance, wanted = random.Random(seed), config(workers)
    began = time.monotonic()
    assert session(wanted, frame, root / "fold0", "", 0) == "finished"
    whole = time.monotonic() - began
    done, ended, runs = [], "finished", 0
    while len(done) < kills or ended == "killed":
        if ended == "finished":
            runs += 1
        kind = KINDS[(len(done) + seed) % len(KINDS)] if len(done) < kills else ""
        number = (
            chance.uniform(0, whole) if kind == "delay" else chance.randint(1, MOST.get(kind, 1))
        )
        ended = session(wanted, frame, root / f"fold{runs}", kind, number)
        assert ended != "failed", (root / "log.txt").read_text()[-3000:]
        if ended == "killed":
            done.append(kind)
    return {"runs": runs, "kills": done}


if __name__ == "__main__":
    torch.set_num_threads(1)
    frame_file, folder, *numbers = sys.argv[1:]
    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    print(json.dumps(main(pd.read_csv(frame_file), place, *map(int, numbers))))
