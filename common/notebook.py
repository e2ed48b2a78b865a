"""Training on several GPUs from a notebook, such as Kaggle's with two T4."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def train_on_gpus(
    competition: str,
    *overrides: str,
    gpus: int = 2,
    experiment: str = "baseline",
    fold: str = "0",
    resume: bool = False,
    name: str = "",
    data: Path | None = None,
    runs: Path | None = None,
) -> None:
    """Train as `kit train` does, in a process per GPU, which accelerate's notebook_launcher forks.

    Nothing may have touched a GPU in the notebook before (`torch.cuda.is_available()` may not have
    been asked either): CUDA does not survive a fork. A cell with `!kit train ... --gpus 2` knows no
    such rule.

    Args:
        overrides: as on the command line, `"train.epochs=8"`.
        gpus: processes; where there is no GPU they train on the processor.
    """
    from accelerate import notebook_launcher

    from common.commands.train import train_folds

    words = (competition, overrides, experiment, fold, resume, name, data, runs)
    with _signals_kept():
        notebook_launcher(train_folds, words, num_processes=gpus, use_port=_free_port())


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Put back the handlers that torch's launcher takes, or a cell could not be stopped later."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
    handlers = {number: signal.getsignal(number) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _free_port() -> str:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return str(one.getsockname()[1])
