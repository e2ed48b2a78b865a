"""Loops of libraries that the kit does not need: Lightning and Ignite, where they are installed.

The same network, batches and fused AdamW as the kit's; each with what it shows by default.
"""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch
from step import Repeat, Tiny
from torch import nn

from common.keys import IMAGE, LABEL

Loop = Callable[[Repeat], np.ndarray]


class Pairs:
    """The same batches as tuples, which others take."""

    def __init__(self, loader: Repeat) -> None:
        self.loader, self.dataset = loader, loader.dataset
        self.bs = len(loader.batch[LABEL])

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self):
        for values in self.loader:
            yield (values[IMAGE].float() / 255 - 0.5) / 0.2, values[LABEL]


def lightning_loop(watched: bool = True) -> Loop:
    """Return Lightning's loop, with its bar and its logger of scalars if it is watched."""
    import lightning

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = Tiny()

        def training_step(self, pair: tuple, number: int) -> torch.Tensor:
            loss = nn.functional.cross_entropy(self.net(pair[0]), pair[1])
            if watched:
                self.log("loss", loss, prog_bar=True)
            return loss

        def configure_optimizers(self) -> torch.optim.Optimizer:
            return torch.optim.AdamW(self.parameters(), 1e-3, fused=True)

    module = Module()

    def run(loader: Repeat) -> np.ndarray:
        with TemporaryDirectory() as folder, _silent():
            trainer = lightning.Trainer(
                accelerator="cpu",
                max_epochs=1,
                logger=lightning.pytorch.loggers.CSVLogger(folder) if watched else False,
                enable_progress_bar=watched,
                enable_checkpointing=False,
                enable_model_summary=False,
            )
            trainer.fit(module, Pairs(loader))
        return loader.step_times()

    return run


def ignite_loop() -> Loop:
    """Return Ignite's loop with its bar and a running average of the loss."""
    from ignite.engine import create_supervised_trainer
    from ignite.handlers import ProgressBar
    from ignite.metrics import RunningAverage

    model = Tiny()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3, fused=True)
    trainer = create_supervised_trainer(model, optimiser, nn.functional.cross_entropy)
    RunningAverage(output_transform=float).attach(trainer, "loss")
    ProgressBar().attach(trainer, ["loss"])

    def run(loader: Repeat) -> np.ndarray:
        with _silent():
            trainer.run(Pairs(loader), max_epochs=1)
        return loader.step_times()

    return run


@contextmanager
def _silent() -> Iterator[None]:
    """Let bars write into nothing: a terminal's own time is not the loop's."""
    with Path(os.devnull).open("w") as null, redirect_stdout(null), redirect_stderr(null):
        yield
