"""Trains with several GPUs of a kernel's machine, a process for each, where the config says so."""

from pathlib import Path
from typing import Any

from common.commands.train import train_folds
from common.kaggle.processes import do_ordered, gpus, work_in_processes


def train_on_gpus(most: int, words: dict[str, Any]) -> None:
    """Train as `kit train` does with these words, on the GPUs there are.

    Args:
        most: of `kernel.gpus`: how many may be used.
        words: of `train_folds`; places as text.
    """
    count = min(most, gpus())
    if count == 1:
        _train(words)
        return
    print(f"training in {count} processes", flush=True)
    work_in_processes(count, "common.kaggle.train_gpus", words)


def _train(words: dict[str, Any]) -> None:
    places = {key: Path(words[key]) for key in ("given_data", "given_runs")}
    train_folds(**{**words, **places})


if __name__ == "__main__":
    do_ordered(_train)
