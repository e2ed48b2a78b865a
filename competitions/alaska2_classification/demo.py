"""Demo data in the competition's layout: real photographs, real changes of DCT coefficients.

Covers are cut from the two photographs that scikit-learn ships, 128 x 128 pixels (the competition's
are 512 x 512). The lower part of each photograph is for Test, the rest for training. Covers cut at
one scale do not overlap; the same place returns at other scales, turned or mirrored. That tells a
network nothing about the answer, since every cover comes with its three stego versions.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from common.errors import KitError
from competitions.alaska2_classification.data import CLASSES, COVER, QUALITIES, SAMPLE, TEST
from competitions.alaska2_classification.embedding import RULES, embed, write_planes

SIZE = 128  # pixels, height and width of the demo's images
SCALES = (0.65, 0.95)  # below 1, so that traces of the photographs' own compression vanish
SPLIT = 0.64  # share of the photographs' height that training images come from
PHOTOS = ("china.jpg", "flower.jpg")
FLAT = 2.0  # grey levels from row to row; what is below is empty sky and hides nothing
STRENGTH = 1.0  # changes per non-zero AC coefficient; some ten times the competition


def write_demo(
    data_dir: Path,
    seed: int = 0,
    covers: int = 300,
    test: int = 60,
    strength: float = STRENGTH,
) -> None:
    """Write Cover/, JMiPOD/, JUNIWARD/, UERD/, Test/ and sample_submission.csv.

    Args:
        data_dir: made if it is not there.
        seed: the same seed writes the same bytes.
        covers: training covers; each also becomes three stego images.
        test: test images, about half of them stego; the answer is kept nowhere.
        strength: coefficients changed by one, per non-zero AC coefficient.
    """
    for name in (*CLASSES, TEST):
        (data_dir / name).mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number, planes in enumerate(islice(cut_covers(rng, 0, SPLIT), covers)):
        paths = {name: data_dir / name / f"{number + 1:05d}.jpg" for name in CLASSES}
        _write_versions(paths, planes, number, strength, rng)
    ids = [f"{number + 1:04d}.jpg" for number in range(test)]
    for number, planes in enumerate(islice(cut_covers(rng, SPLIT, 1), test)):
        name = COVER if rng.random() < 0.5 else str(rng.choice(list(RULES)))
        paths = dict.fromkeys((COVER, name), data_dir / TEST / ids[number])
        _write_versions(paths, planes, number, strength, rng)
    lines = ["Id,Label", *(f"{image_id},0" for image_id in ids)]
    (data_dir / SAMPLE).write_text("\n".join(lines) + "\n", encoding="utf-8")


def _write_versions(
    paths: dict[str, Path],
    planes: np.ndarray,
    number: int,
    strength: float,
    rng: np.random.Generator,
) -> None:
    """Write a cover and its stego versions; a version that shares the cover's path replaces it."""
    quality = QUALITIES[number % len(QUALITIES)]
    write_planes(paths[COVER], planes, quality)
    for name, path in paths.items():
        if name != COVER:
            write_planes(path, embed(planes, paths[COVER], name, strength, rng), quality)


def photographs() -> list[Image.Image]:
    """Return the photographs that scikit-learn ships, without importing it."""
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise KitError("expected scikit-learn for its two photographs; pip install scikit-learn")
    folder = Path(package.origin).parent / "datasets" / "images"
    missing = [name for name in PHOTOS if not (folder / name).is_file()]
    if missing:
        raise KitError(f"expected '{folder / missing[0]}', found none; reinstall scikit-learn")
    return [Image.open(folder / name).convert("RGB") for name in PHOTOS]


def cut_covers(rng: np.random.Generator, top: float, bottom: float) -> Iterator[np.ndarray]:
    """Yield `(3, SIZE, SIZE)` uint8 Y, Cb, Cr for ever, from the photographs in turn.

    Args:
        top, bottom: which part of the photographs' height is used, 0..1.
    """
    photos = photographs()
    while True:
        for photo in photos:
            width, height = photo.size
            part = photo.crop((0, round(top * height), width, round(bottom * height)))
            yield from _cut_grid(_vary(part, rng), rng)


def _vary(photo: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Shrink by a random scale, then turn or mirror."""
    low, high = SCALES
    scale = rng.uniform(max(low, SIZE / min(photo.size)), high)
    size = max(SIZE, round(photo.width * scale)), max(SIZE, round(photo.height * scale))
    photo = photo.resize(size, Image.Resampling.LANCZOS)
    turns = list(Image.Transpose)
    return photo.transpose(turns[int(rng.integers(len(turns)))])


def _cut_grid(photo: Image.Image, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield neighbouring squares of a grid with a random origin."""
    planes = np.asarray(photo.convert("YCbCr")).transpose(2, 0, 1)
    rows, columns = photo.height // SIZE, photo.width // SIZE
    top = int(rng.integers(photo.height - rows * SIZE + 1))
    start = int(rng.integers(photo.width - columns * SIZE + 1))
    for y in range(top, top + rows * SIZE, SIZE):
        for x in range(start, start + columns * SIZE, SIZE):
            square = planes[:, y : y + SIZE, x : x + SIZE].copy()
            if np.abs(np.diff(square[0].astype(int))).mean() > FLAT:
                yield square
