"""Peak memory of predictions against the result itself, each in a process of its own.

`python tests/benchmarks/peak.py`
"""

import os

os.environ.update(NO_ALBUMENTATIONS_UPDATE="1")
import resource
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import pandas as pd
import torch
from table import tell
from torch import nn

from common.config import Config, PredictConfig
from common.data.tolerant import Batch
from common.inference import each_model
from common.inference.classification import predict_classes
from common.inference.stream_classes import stream_classes
from common.keys import IMAGE, INDEX, LOGITS

ROWS, CLASSES, SIZE = 50_000, 1000, 500
PAYLOAD = ROWS * CLASSES * 4 / 2**20  # MB


class Zeros(nn.Module):
    """A network of no cost."""

    def forward(self, batch: dict) -> dict:
        return {LOGITS: torch.zeros(len(batch[IMAGE]), CLASSES)}


def batches():
    """Yield images without pixels."""
    for start in range(0, ROWS, SIZE):
        yield Batch([{IMAGE: torch.zeros(SIZE, 3, 1, 1), INDEX: torch.arange(SIZE) + start}], [])


def grown(way: str) -> float:
    """Predict; return by how many MB the peak has grown."""
    names = tuple(f"c{number}" for number in range(CLASSES))
    config = Config(competition="bench", classes=names, metric="accuracy")
    config = config.model_copy(update={"train.batch_size": SIZE})
    frame = pd.DataFrame({"image_id": [str(row) for row in range(ROWS)], "path": "any"})
    before = peak()
    with (
        TemporaryDirectory() as folder,
        patch.object(each_model, "load_model", lambda *_: (Zeros(), config)),
        patch.object(each_model, "predict_loader", lambda *_: batches()),
    ):
        if way == "memory":
            predict_classes([Path("a")], frame, PredictConfig())
        else:
            out = Path(folder) / "out.parquet"
            stream_classes([Path("a")], frame, out, PredictConfig())
    return peak() - before


def peak() -> float:
    """Return the most that this process had in memory, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) > 1:
        print(grown(sys.argv[1]))
        sys.exit()
    for way, goal in (("memory", 1.2), ("file", 0.5)):
        run = [sys.executable, "-W", "ignore", __file__, way]
        done = subprocess.run(run, capture_output=True, text=True, check=True)
        what = f"peak memory of predicting {ROWS} x {CLASSES}, to {way}"
        tell(what, "the result itself", float(done.stdout.split()[-1]) / PAYLOAD, goal)
