"""Speed of the search for duplicates: images hashed, and pairs found among 100 000 hashes.

CPU times of one thread. `python tests/benchmarks/duplicates.py [hashes]`
"""

import os

os.environ.update(OMP_NUM_THREADS="1")
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import cv2
import numpy as np
import sklearn

from common.data.audit.duplicates import RADIUS
from common.data.audit.neighbours import near_pairs
from common.data.audit.scan import scan_images

COUNT, PLANTED, IMAGES = 100_000, 2_000, 200
SECONDS = 10.0  # goal for the search


def plant(count: int) -> np.ndarray:
    """Return random hashes; the last PLANTED are the first with 0 to RADIUS bits flipped."""
    random = np.random.default_rng(0)
    hashes = random.integers(2**64, size=count, dtype=np.uint64)
    for place in range(PLANTED):
        flipped = random.choice(64, size=place % (RADIUS + 1), replace=False)
        hashes[-1 - place] = hashes[place] ^ np.uint64(sum(1 << int(bit) for bit in flipped))
    return hashes


def write_images(folder: Path, side: int) -> list[str]:
    """Write JPEG crops of a photograph, `side` pixels square."""
    photo = cv2.imread(str(Path(sklearn.__file__).parent / "datasets" / "images" / "china.jpg"))
    photo = cv2.resize(photo, (1280, 854), interpolation=cv2.INTER_CUBIC)
    random, paths = np.random.default_rng(0), []
    for number in range(IMAGES):
        top, left = random.integers(854 - side), random.integers(1280 - side)
        paths.append(str(folder / f"{side}_{number}.jpg"))
        cv2.imwrite(paths[-1], photo[top : top + side, left : left + side])
    return paths


def main(count: int) -> None:
    """Measure and print."""
    cv2.setNumThreads(0)
    with tempfile.TemporaryDirectory() as folder:
        for side in (256, 512):
            paths = write_images(Path(folder), side)
            scan_images(paths[:10], threads=1)
            begin = time.process_time()
            scan_images(paths, threads=1)
            seconds = time.process_time() - begin
            print(f"read whole and hash {side} x {side} JPEG: {IMAGES / seconds:6.0f} per second")
    hashes = plant(count)
    begin = time.process_time()
    left, right, radius = near_pairs(hashes, RADIUS)
    seconds = time.process_time() - begin
    found = set(zip(left.tolist(), right.tolist(), strict=True))
    hits = sum((place, count - 1 - place) in found for place in range(PLANTED))
    verdict = "reached" if seconds <= SECONDS and radius == RADIUS else "MISSED"
    print(
        f"pairs within {radius} of 64 bits among {count} hashes: {seconds:.2f} s "
        f"(at most {SECONDS:.0f}: {verdict}), recall {hits / PLANTED:.1%} of {PLANTED} planted, "
        f"{len(found) - hits} others by chance"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else COUNT)
