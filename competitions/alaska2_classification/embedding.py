"""Hiding a message in a JPEG: which DCT coefficients change by one, and how the file is written.

The three rules simulate optimal embedding as the papers do: a rule gives every coefficient a cost,
and coefficient i changes with the probability exp(-l c_i) / (1 + 2 exp(-l c_i)) in each direction.
Costs follow the idea of the rule they are named after, not its every term:
UERD (Guo et al. 2015), J-UNIWARD (Holub et al. 2014), J-MiPOD (Cogranne et al. 2020).
"""

from pathlib import Path

import numpy as np
from PIL import Image

BLOCK = 8  # pixels, side of a JPEG block
FLAT = 1e-2  # keeps a cost finite where nothing moves

_k = np.arange(BLOCK)
# Orthonormal DCT-II: coefficients = DCT @ block @ DCT.T
DCT = np.sqrt(2 / BLOCK) * np.cos((2 * _k[None] + 1) * _k[:, None] * np.pi / (2 * BLOCK))
DCT[0] /= np.sqrt(2)
BASES = np.einsum("ku,lv->kluv", DCT, DCT)  # (8, 8, 8, 8): the pattern of every coefficient


def to_blocks(plane: np.ndarray) -> np.ndarray:
    """Cut `(H, W)` into `(H / 8, W / 8, 8, 8)`."""
    height, width = plane.shape
    return plane.reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK).swapaxes(1, 2)


def from_blocks(blocks: np.ndarray) -> np.ndarray:
    """Join `(R, S, 8, 8)` to `(8 R, 8 S)`."""
    rows, columns = blocks.shape[:2]
    return blocks.swapaxes(1, 2).reshape(rows * BLOCK, columns * BLOCK)


def quantise(plane: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return the `(R, S, 8, 8)` int coefficients that a JPEG keeps of `(H, W)` in 0..255."""
    return np.rint(DCT @ (to_blocks(plane) - 128.0) @ DCT.T / table).astype(np.int64)


def dequantise(coefficients: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return the plane `(H, W)` uint8 that a decoder shows."""
    plane = from_blocks(DCT.T @ (coefficients * table) @ DCT) + 128
    return np.rint(plane).clip(0, 255).astype(np.uint8)


def read_planes(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return Y, Cb and Cr as stored, `(3, H, W)` uint8, and the `(8, 8)` table of Y."""
    with Image.open(path) as image:
        image.draft("YCbCr", image.size)  # no way through RGB, which would round
        table = np.array(image.quantization[0]).reshape(BLOCK, BLOCK)
        return np.stack([np.asarray(plane) for plane in image.split()]), table


def write_planes(path: Path, planes: np.ndarray, quality: int) -> None:
    """Write `(3, H, W)` uint8 Y, Cb and Cr as a JPEG without chroma subsampling."""
    image = Image.merge("YCbCr", [Image.fromarray(plane) for plane in planes])
    image.save(path, "JPEG", quality=quality, subsampling=0)


def _blur(plane: np.ndarray, radius: int) -> np.ndarray:
    side = 2 * radius + 1
    padded = np.pad(plane, radius, mode="reflect")
    rows = np.lib.stride_tricks.sliding_window_view(padded, side, axis=0).mean(-1)
    return np.lib.stride_tricks.sliding_window_view(rows, side, axis=1).mean(-1)


def _spread(weights: np.ndarray, patterns: np.ndarray) -> np.ndarray:
    """Sum `(H, W)` pixel weights under every coefficient's pattern: `(R, S, 8, 8)`."""
    return np.tensordot(to_blocks(weights), patterns, axes=((2, 3), (2, 3)))


def uerd(plane: np.ndarray, coefficients: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Cost: the quantisation step over the energy of the block and a quarter of its neighbours'."""
    energy = np.abs(coefficients * table).sum((2, 3)) - np.abs(coefficients * table)[..., 0, 0]
    energy = energy + 0.25 * (9 * _blur(energy, 1) - energy)
    return table / np.maximum(energy, FLAT)[..., None, None]


def juniward(plane: np.ndarray, coefficients: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Cost: how far a change moves pixels, relative to the detail around them in 3 directions."""
    image = np.pad(plane.astype(float), 1, mode="reflect")
    across = image[:, 1:-1] - (image[:, :-2] + image[:, 2:]) / 2
    down = image[1:-1] - (image[:-2] + image[2:]) / 2
    both = across[1:-1] - (across[:-2] + across[2:]) / 2
    details = (across[1:-1], down[:, 1:-1], both)
    return table * _spread(sum(1 / (1 + _blur(np.abs(d), 1)) for d in details), np.abs(BASES))


def jmipod(plane: np.ndarray, coefficients: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Cost: the squared quantisation step over the variance of the coefficient's noise."""
    residual = plane - _blur(plane.astype(float), 1)
    return table**2 / _spread(np.maximum(_blur(residual**2, 2), FLAT), BASES**2)


RULES = {"JMiPOD": jmipod, "JUNIWARD": juniward, "UERD": uerd}


def change_rates(cost: np.ndarray, changes: float) -> np.ndarray:
    """Return how likely each coefficient changes, so that `changes` do on average.

    No more than two thirds can change: then no change and both directions are equally likely.
    """
    cost = cost / np.median(cost)
    cost[..., 0, 0] = np.inf  # the mean of a block stays
    low, high = -20.0, 20.0  # logarithm of the multiplier l
    for _ in range(30):
        middle = (low + high) / 2
        odds = 2 * np.exp(-np.exp(middle) * cost)
        rates = odds / (1 + odds)
        low, high = (middle, high) if rates.sum() > changes else (low, middle)
    return rates


def embed(
    source: np.ndarray, cover: Path, rule: str, strength: float, rng: np.random.Generator
) -> np.ndarray:
    """Return the planes `(3, H, W)` of a stego image, to be written with the cover's quality.

    Args:
        source: `(3, H, W)` uint8 Y, Cb, Cr that the cover was written from.
        cover: the cover's file; its coefficients are the ones that change.
        rule: a key of `RULES`.
        strength: coefficients changed by one, per non-zero AC coefficient of the cover.
        rng: draws the changes.
    """
    planes, table = read_planes(cover)
    coefficients = quantise(planes[0], table)
    usable = np.count_nonzero(coefficients) - np.count_nonzero(coefficients[..., 0, 0])
    cost = RULES[rule](planes[0], coefficients, table)
    changed = rng.random(coefficients.shape) < change_rates(cost, strength * usable)
    stego = coefficients + changed * rng.choice((-1, 1), coefficients.shape)
    # From the same pixels the encoder makes the same coefficients, where nothing is changed.
    kept = ~changed.any((2, 3))[..., None, None]
    luma = np.where(kept, to_blocks(source[0]), to_blocks(dequantise(stego, table)))
    return np.concatenate([from_blocks(luma)[None], source[1:]])
