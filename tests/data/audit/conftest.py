"""Photographs that scikit-image ships, and a frame of images on disk."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import pytest
import skimage
import sklearn

from common.data.image import read_image
from common.figures.grid import thumbnail
from common.keys import FOLD, IMAGE_ID, LABEL, PATH

NAMES = (
    *("astronaut", "brick", "camera", "cell", "chelsea", "coffee", "coins", "grass", "gravel"),
    *("moon", "motorcycle_left", "page", "text", "ihc", "horse"),
)


@pytest.fixture(scope="session")
def photographs() -> dict[str, np.ndarray]:
    folder = Path(skimage.__file__).parent / "data"
    files = {name: folder / f"{name}.png" for name in NAMES}
    for name in ("china", "flower"):
        files[name] = Path(sklearn.__file__).parent / "datasets" / "images" / f"{name}.jpg"
    return {name: thumbnail(read_image(path), 240) for name, path in files.items()}


Write = Callable[[dict[str, np.ndarray]], pd.DataFrame]


@pytest.fixture
def write(tmp_path) -> Write:
    """Return a function that writes pictures as PNG and gives their frame, folds 0, 1, 0, 1, ..."""

    def write(pictures: dict[str, np.ndarray]) -> pd.DataFrame:
        rows = []
        for number, (name, picture) in enumerate(pictures.items()):
            path = tmp_path / f"{name}.png"
            cv2.imwrite(str(path), picture[..., ::-1])
            rows.append({IMAGE_ID: name, PATH: str(path), FOLD: number % 2, LABEL: 0})
        return pd.DataFrame(rows)

    return write
