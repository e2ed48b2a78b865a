"""Trains with several GPUs of a kernel's machine, a process for each, where the config says so."""

import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common.commands.train import train_folds
from common.kaggle.every_gpu import gpus, reach_code
from common.launch import run_in_processes


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
    reach_code()
    print(f"training in {count} processes", flush=True)
    with TemporaryDirectory() as folder:
        order = Path(folder) / "work.json"
        order.write_text(json.dumps(words))
        run_in_processes(count, ["-m", "common.kaggle.train_gpus", str(order)])


def _train(words: dict[str, Any]) -> None:
    places = {key: Path(words[key]) for key in ("given_data", "given_runs")}
    train_folds(**{**words, **places})


if __name__ == "__main__":
    _train(json.loads(Path(sys.argv[1]).read_text()))
