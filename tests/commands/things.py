"""Small data of masks and of boxes, as competitions give them: a bright rectangle per picture."""

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from common.submission.rle import encode

TINY = (
    "model.name=test_resnet",
    "model.weights=none",
    "data.img_size=64",
    "data.n_folds=2",
    "data.num_workers=0",
    "train.epochs=1",
    "train.batch_size=2",
    "log.loggers=local",
)
HEADS = {
    "segmentation": '{"decoder_channels": [32, 24, 16, 12, 8]}',
    "detection": '{"fpn_channels": 64, "num_convs": 1, "extra_levels": false}',
}
TINY_OF = {task: (*TINY, f"model.decoder_arguments={head}") for task, head in HEADS.items()}
CORNER = (8, 6, 30, 26)  # x1, y1, x2, y2 of the object in every picture


def write_pictures(folder: Path, names: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    left, top, right, bottom = CORNER
    for name in names:
        pixels = np.full((48, 64, 3), 40, np.uint8)
        pixels[top:bottom, left:right] = 220
        Image.fromarray(pixels).save(folder / f"{name}.png")


def mask() -> np.ndarray:
    left, top, right, bottom = CORNER
    values = np.zeros((48, 64), np.uint8)
    values[top:bottom, left:right] = 1
    return values


def add_masks(data: Path) -> None:
    (data / "train_masks").mkdir()
    for name in "abcdef":
        Image.fromarray(mask() * 255).save(data / "train_masks" / f"{name}_mask.png")
    write_sample(data, "EncodedPixels", "1 1")


def add_codes(data: Path) -> None:
    rows = {"ImageId": [*"abcde", "a"], "EncodedPixels": [encode(mask())] * 5 + ["2900 8 2950 2"]}
    pd.DataFrame(rows).to_csv(data / "train.csv", index=False)  # f has none
    write_sample(data, "EncodedPixels", "1 1")


def add_boxes(data: Path) -> None:
    left, top, right, bottom = CORNER
    box = f"[{left}, {top}, {right - left}, {bottom - top}]"
    pd.DataFrame({"ImageId": [*"abcde"], "bbox": box}).to_csv(data / "train.csv", index=False)
    write_sample(data, "PredictionString", "0.5 0 0 9 9")


def add_labelled_boxes(data: Path) -> None:
    columns = dict(zip(("xmin", "ymin", "xmax", "ymax"), CORNER, strict=True))
    rows = {"ImageId": [*"abcdef"], **columns, "class": ["dark", "light"] * 3}
    pd.DataFrame(rows).to_csv(data / "train.csv", index=False)
    write_sample(data, "PredictionString", "dark 0.5 0 0 9 9")


def write_sample(data: Path, column: str, text: str) -> None:
    rows = {"ImageId": ["v", "u"], column: text}
    pd.DataFrame(rows).to_csv(data / "sample_submission.csv", index=False)
