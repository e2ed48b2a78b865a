"""Demo data in the competition's layout: drawn fields of five sources, some of them without wheat.

The sources differ in density, size, colour and bristles of the heads, in light and blur, and their
shares are as uneven as in the competition (see looks.py). The test pictures come from them all.
"""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from common.data.boxes import xyxy_to_xywh
from common.errors import KitError
from common.keys import IMAGE_ID
from competitions.wheat_detection.data import COLUMNS, SAMPLE, TABLE, TARGET, TEST, TRAIN
from competitions.wheat_detection.field import SIZE, draw_field
from competitions.wheat_detection.heads import model_head
from competitions.wheat_detection.looks import LOOKS

BARE = 0.05  # share of the training pictures that show no wheat, more than the competition's 0.014
MODELS = 12  # heads per source, which return turned, stretched and in other colours
QUALITY = 88  # of the JPEGs
THREADS = 2  # pictures drawn at a time
NO_BOX = "1.0 0 0 50 50"  # what the sample submission predicts for every picture


def write_demo(data_dir: Path, seed: int = 0, train: int = 96, test: int = 8) -> None:
    """Write train.csv, train/, test/ and sample_submission.csv.

    Args:
        data_dir: made if it is not there.
        seed: the same seed writes the same bytes.
        train: training pictures, with and without wheat.
        test: test pictures, all with wheat; their boxes are kept nowhere.
    """
    rng = np.random.default_rng(seed)
    models = {
        name: [model_head(rng, look.plump) for _ in range(MODELS)] for name, look in LOOKS.items()
    }
    ids, bare = _make_ids(rng, train + test), round(BARE * train)
    sources = [*_share_out(rng, train), *_share_out(rng, test)]
    for folder in (TRAIN, TEST):
        (data_dir / folder).mkdir(parents=True, exist_ok=True)

    def draw(number: int) -> np.ndarray:
        """Write one picture, the same whichever thread comes first; return its boxes."""
        own, look = np.random.default_rng((seed, number)), LOOKS[sources[number]]
        heads = 0 if number < bare else int(own.integers(*look.heads, endpoint=True))
        image, boxes = draw_field(own, look, models[sources[number]], heads)
        folder = data_dir / (TRAIN if number < train else TEST)
        _write_jpeg(folder / f"{ids[number]}.jpg", image)
        return boxes

    with ThreadPoolExecutor(THREADS) as pool:
        boxes = list(pool.map(draw, range(train + test)))
    _write_table(data_dir / TABLE, ids[:train], sources, boxes)
    sample = pd.DataFrame({IMAGE_ID: ids[train:], TARGET: NO_BOX})
    sample.to_csv(data_dir / SAMPLE, index=False, lineterminator="\n")


def _make_ids(rng: np.random.Generator, count: int) -> list[str]:
    """Return different ids of nine hexadecimal digits, as the competition's."""
    numbers = rng.integers(16**9, size=2 * count + 8)
    return [f"{number:09x}" for number in dict.fromkeys(numbers.tolist())][:count]


def _share_out(rng: np.random.Generator, count: int) -> list[str]:
    """Return a source per picture, in random order and as near to the shares as can be."""
    ends = np.cumsum([0.0, *(look.share for look in LOOKS.values())])
    numbers = np.diff(np.rint(ends / ends[-1] * count)).astype(int)
    return rng.permutation(np.repeat(list(LOOKS), numbers)).tolist()


def _write_jpeg(path: Path, image: np.ndarray) -> None:
    """Write `(H, W, 3)` uint8 RGB."""
    swapped = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    done, data = cv2.imencode(".jpg", swapped, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise KitError(f"expected OpenCV to encode '{path}', it refused; reinstall opencv")
    path.write_bytes(data.tobytes())


def _write_table(path: Path, ids: list[str], sources: list[str], boxes: list[np.ndarray]) -> None:
    """Write a row per box with its left, top, width and height; none for a picture without."""
    rows = [
        (image_id, SIZE, SIZE, str(bbox), source)
        for image_id, source, of_image in zip(ids, sources, boxes, strict=False)
        for bbox in xyxy_to_xywh(of_image).astype(float).tolist()
    ]
    pd.DataFrame(rows, columns=COLUMNS).to_csv(path, index=False, lineterminator="\n")
