"""Peak memory and time of predicting one 5000 x 5000 picture by tiles.

The model's own time is next to nothing in the first row, so that what is left is the tiling.
`python tests/benchmarks/tiles.py [model]`
"""

import os

os.environ.update(NO_ALBUMENTATIONS_UPDATE="1")
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from common.config import Config, DataConfig, ModelConfig
from common.data.mapped import open_picture
from common.data.windows import read_window
from common.inference.tiles import predict_tiled
from common.keys import IMAGE, MASK_LOGITS
from common.models.segmenter import make_segmenter, mask_probabilities

SIDE = 5000


class Red(nn.Module):
    """The red channel as logits."""

    def forward(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        return {MASK_LOGITS: batch[IMAGE][:, :1].float() / 64 - 2}


def peak() -> float:
    """Return the most memory that this process ever held, in GB, libraries included."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024 / 1e9


def write_picture(folder: Path) -> Path:
    """Write an uncompressed striped RGB TIFF as the aerial images are."""
    random = np.random.default_rng(0)
    pixels = random.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(folder / "picture.tif", tiffinfo={278: 1})
    return folder / "picture.tif"


def measure(name: str, path: Path, model: nn.Module) -> None:
    """Print time and peak memory of one prediction."""
    started = time.perf_counter()
    result = predict_tiled(model, open_picture(path), mask_probabilities, 512)
    seconds = time.perf_counter() - started
    print(f"{name:24} {seconds:7.1f} s, peak so far {peak():.2f} GB, result {result.shape}")


def windows(path: Path, count: int = 300) -> None:
    """Print the time of a random window, mapped and by decoding the whole."""
    random = np.random.default_rng(1)
    corners = random.integers(0, SIDE - 512, (count, 2)).tolist()
    started = time.perf_counter()
    for corner in corners:
        read_window(path, *corner, 512, 512)
    mapped = (time.perf_counter() - started) / count
    started = time.perf_counter()
    np.asarray(Image.open(path))
    whole = time.perf_counter() - started
    print(f"window of 512: {mapped * 1e3:.2f} ms mapped, {whole * 1e3:.0f} ms by the whole")


if __name__ == "__main__":
    torch.set_num_threads(1)
    if os.environ.get("PICTURE"):  # a process of its own, whose peak has seen no picture whole
        picture = Path(os.environ["PICTURE"])
        print(f"libraries alone: {peak():.2f} GB")
        measure("tiling alone", picture, Red().eval())
        config = Config(
            competition="x",
            task="segmentation",
            classes=("building",),
            metric="iou",
            data=DataConfig(img_size=512),
            model=ModelConfig(name=sys.argv[1], weights="none"),
        )
        measure(sys.argv[1], picture, make_segmenter(config).eval())
        windows(picture)
    else:
        with tempfile.TemporaryDirectory() as place:
            file = write_picture(Path(place))
            arguments = [sys.executable, __file__, *(sys.argv[1:] or ["test_byobnet"])]
            os.environ["PICTURE"] = str(file)
            os.spawnv(os.P_WAIT, sys.executable, arguments)
