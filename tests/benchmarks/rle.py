"""Time of run-length code on a 5000 x 5000 mask against the usual numpy recipes.

Rounds are interleaved, times are CPU times of one thread. `python tests/benchmarks/rle.py [rounds]`
"""

import os

os.environ.update(OMP_NUM_THREADS="1")
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import cv2
import numpy as np
from table import tell

from common.submission.rle import decode, encode

SIDE = 5000
GOALS = {"encode": 5.0, "decode": 4.0}


def draw(side: int) -> np.ndarray:
    """Return smooth blobs like the roofs of a town, (side, side) uint8 of 0 and 1."""
    noise = np.random.default_rng(0).random((side, side), dtype=np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 40)
    return (smooth > np.quantile(smooth[::10, ::10], 0.85)).astype(np.uint8)


def usual_encode(mask: np.ndarray) -> str:
    """Encode as notebooks do."""
    pixels = np.concatenate([[0], mask.T.flatten(), [0]])
    runs = np.where(np.diff(pixels) != 0)[0] + 1
    runs[1::2] -= runs[::2]
    return " ".join(str(number) for number in runs)


def usual_decode(text: str, size: tuple[int, int]) -> np.ndarray:
    """Decode as notebooks do."""
    words = text.split()
    starts, lengths = (np.asarray(numbers, dtype=int) for numbers in (words[::2], words[1::2]))
    starts -= 1
    pixels = np.zeros(size[0] * size[1], dtype=np.uint8)
    for begin, end in zip(starts, starts + lengths, strict=True):
        pixels[begin:end] = 1
    return pixels.reshape(size[1], size[0]).T


def seconds(run: Callable[[], object]) -> float:
    """Return the CPU time of one call."""
    begin = time.process_time()
    run()
    return time.process_time() - begin


def main(rounds: int) -> None:
    """Measure and print the table and the goals."""
    cv2.setNumThreads(0)
    mask = draw(SIDE)
    text = encode(mask)
    assert text == usual_encode(mask)
    assert (decode(text, mask.shape) == usual_decode(text, mask.shape)).all()
    pairs = {
        "encode": (lambda: encode(mask), lambda: usual_encode(mask)),
        "decode": (lambda: decode(text, mask.shape), lambda: usual_decode(text, mask.shape)),
    }
    print(f"{SIDE} x {SIDE} pixels, {len(text.split()) // 2} runs, {rounds} rounds, CPU time\n")
    for name, (ours, usual) in pairs.items():
        times = [(seconds(ours), seconds(usual)) for _ in range(rounds + 1)][1:]
        mine, theirs = (statistics.median(column) * 1e3 for column in zip(*times, strict=True))
        ratio = statistics.median(other / own for own, other in times)
        print(f"{name}  ours {mine:6.1f} ms  usual {theirs:6.1f} ms  ratio {ratio:5.2f}")
        what, unit = f"run-length code, {name}, {SIDE} x {SIDE}", "times as fast"
        tell(what, "the usual numpy recipe", ratio, GOALS[name], at_least=True, unit=unit)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
