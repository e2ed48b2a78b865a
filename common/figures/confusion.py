"""The confusion matrix as a picture, and the pairs of classes behind most of the mistakes."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from matplotlib.ticker import MaxNLocator

from common.errors import KitError
from common.figures.heat_map import HeatMap, Tick, draw_heat_map

MAX_NUMBERS = 25  # classes; beyond this the numbers would be smaller than anyone can read
MAX_NAMES = 60  # names along an axis
MANY_CLASSES = 100  # beyond this one matrix is drawn, with few names
FEW_NAMES = 20
MAX_CELLS = 250  # along an axis; a picture has too few pixels to show more
SHARE = "share of the actual class"
SHARE_OF_BOTH = "share of its row; last row: of its column"
SHARES = [(place / 5, f"{place / 5:.1f}") for place in range(6)]
MANY = 100_000  # counts from here on are shortened


def confusion_figures(
    matrix: np.ndarray, classes: Sequence[str], **options: Any
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the matrix by row and, up to 100 classes, as counts, each with its name.

    Both are `(H, W, 3)` uint8 pictures of what `confusion_map` says.
    """
    yield "confusion", draw_heat_map(confusion_map(matrix, classes, True, **options))
    if len(classes) <= MANY_CLASSES:
        yield "confusion_counts", draw_heat_map(confusion_map(matrix, classes, False, **options))


def confusion_map(
    matrix: np.ndarray,
    classes: Sequence[str],
    normalise: bool = True,
    unit: str = "samples",
    axes_names: tuple[str, str] = ("Predicted", "Actual"),
    background: bool = False,
) -> HeatMap:
    """Shade `(C, C)` counts, rows = actual, columns = predicted; each cell shows its count.

    With `normalise` the shade is the share of the row (a class without samples stays at 0),
    otherwise of the largest count. Beyond 25 classes the numbers are left out; beyond 250 a cell is
    the largest of several, so that a single bad pair stays in sight. `unit` is what is counted.
    With `background` the last class is none: what is found there is shown as a share of all that
    was taken for that class, its column.
    """
    matrix = _checked(matrix, classes)
    shades = row_shares(matrix) if normalise else matrix / max(1, matrix.max())
    if normalise and background:
        shades[-1] = matrix[-1] / np.maximum(matrix.sum(axis=0), 1)
    block = -(-len(classes) // MAX_CELLS)
    shown = len(classes) <= MAX_NUMBERS
    return HeatMap(
        _largest(shades, block),
        classes,
        _title(matrix, unit, block),
        axes_names,
        (SHARE_OF_BOTH if background else SHARE, SHARES) if normalise else (unit, _scale(matrix)),
        [[short_count(count) for count in row] for row in matrix.tolist()] if shown else (),
        -(-len(classes) // (MAX_NAMES if len(classes) <= MANY_CLASSES else FEW_NAMES)),
        block,
    )


def most_confused(matrix: np.ndarray, classes: Sequence[str], k: int) -> list[dict[str, Any]]:
    """Return the `k` largest cells off the diagonal, most samples first; empty ones are left out.

    Each is `{"actual", "predicted", "count", "share"}`, share being the part of the actual class.
    """
    matrix = _checked(matrix, classes)
    rows, columns = np.nonzero(matrix * ~np.eye(len(matrix), dtype=bool))
    counts = matrix[rows, columns]
    shares = counts / matrix.sum(axis=1)[rows]
    order = np.lexsort((-shares, -counts))[:k]
    cells = zip(
        *(column[order].tolist() for column in (rows, columns, counts, shares)), strict=True
    )
    return [
        {"actual": classes[row], "predicted": classes[column], "count": count, "share": share}
        for row, column, count, share in cells
    ]


def short_count(count: int) -> str:
    """Write a count in a few characters: 1234 as it is, 12345678 as 12.3M."""
    for size, unit in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= max(size, MANY):
            return f"{count / size:.3g}{unit}"
    return str(count)


def row_shares(matrix: np.ndarray) -> np.ndarray:
    """Return `(C, C)` float rows that sum to 1, or to 0 for a class without samples."""
    return matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)


def _checked(matrix: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    matrix = np.asarray(matrix)
    if matrix.shape != (len(classes), len(classes)) or not len(classes):
        raise KitError(
            f"expected a ({len(classes)}, {len(classes)}) confusion matrix for "
            f"{len(classes)} classes, got shape {matrix.shape}"
        )
    if not np.issubdtype(matrix.dtype, np.integer) or (matrix < 0).any():
        raise KitError(f"expected counts in the confusion matrix, got {matrix.dtype} values")
    return matrix.astype(np.int64)


def _largest(shades: np.ndarray, block: int) -> np.ndarray:
    """Return the largest of each `block` x `block` of `(C, C)` shades."""
    padded = np.pad(shades, (0, -len(shades) % block))
    return padded.reshape(len(padded) // block, block, -1, block).max(axis=(1, 3))


def _title(matrix: np.ndarray, unit: str, block: int) -> str:
    total, right = int(matrix.sum()), int(np.trace(matrix))
    counted = f"{total:,}" if total < MANY else short_count(total)
    merged = f"; a cell is the largest of {block} x {block}" if block > 1 else ""
    return f"{right / max(total, 1):.1%} of {counted} {unit} on the diagonal{merged}"


def _scale(matrix: np.ndarray) -> list[Tick]:
    """Return round counts up to the largest, each with its place."""
    top = max(1, int(matrix.max()))
    counts = MaxNLocator(6, integer=True).tick_values(0, top)
    return [(count / top, short_count(round(count))) for count in counts if count <= top]
