"""The confusion matrix as a figure, and the pairs of classes behind most of the mistakes."""

from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import EngFormatter

from common.errors import KitError

MAX_NUMBERS = 25  # classes; beyond this the numbers would be smaller than anyone can read
MAX_NAMES = 60  # names along an axis
MANY_CLASSES = 100  # beyond this one matrix is drawn, with few names: they take most of the time
FEW_NAMES = 10
MAX_CELLS = 250  # along an axis; a picture has too few pixels to show more
SHARE = "share of the actual class"
MANY = 100_000  # counts from here on are shortened


def confusion_figures(
    matrix: np.ndarray, classes: Sequence[str], **options: Any
) -> Iterator[tuple[str, Figure]]:
    """Yield the matrix by row and, up to 100 classes, as counts, each with its name."""
    yield "confusion", confusion_figure(matrix, classes, True, **options)
    if len(classes) <= MANY_CLASSES:
        yield "confusion_counts", confusion_figure(matrix, classes, False, **options)


def confusion_figure(
    matrix: np.ndarray,
    classes: Sequence[str],
    normalise: bool = True,
    unit: str = "samples",
    axes_names: tuple[str, str] = ("Predicted", "Actual"),
    background: bool = False,
) -> Figure:
    """Draw `(C, C)` counts, rows = actual, columns = predicted; each cell shows its count.

    With `normalise` the colour is the share of the row (a class without samples stays at 0),
    otherwise the count. Beyond 25 classes the numbers are left out; beyond 250 a drawn cell is the
    largest of several, so that a single bad pair stays in sight. `unit` is what is counted.
    With `background` the last class is none: what is found there is shown as a share of all that
    was taken for that class, its column.
    """
    matrix = _checked(matrix, classes)
    shades = row_shares(matrix) if normalise else matrix.astype(float)
    if normalise and background:
        shades[-1] = matrix[-1] / np.maximum(matrix.sum(axis=0), 1)
    side = min(10.0 if len(classes) <= MANY_CLASSES else 7.0, 2.4 + 0.36 * len(classes))
    figure = Figure(figsize=(side + 0.9, side), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    top = 1.0 if normalise else max(1.0, float(shades.max()))
    block = -(-len(classes) // MAX_CELLS)
    drawn = _draw_cells(axes, shades, block, top)
    style = None if normalise else EngFormatter(sep="")  # a power of ten would lie on the title
    bar = figure.colorbar(drawn, ax=axes, shrink=0.8, format=style)
    share = "share of its row; last row: of its column" if background else SHARE
    bar.set_label(share if normalise else unit)
    _label_axes(axes, classes)
    axes.set_xlabel(axes_names[0], fontsize=11)
    axes.set_ylabel(axes_names[1], fontsize=11)
    total, right = int(matrix.sum()), int(np.trace(matrix))
    counted = f"{total:,}" if total < MANY else short_count(total)
    title = f"{right / max(total, 1):.1%} of {counted} {unit} on the diagonal"
    merged = f"; a cell is the largest of {block} x {block}" if block > 1 else ""
    axes.set_title(title + merged, fontsize=10)
    if len(classes) <= MAX_NUMBERS:
        _write_counts(axes, matrix, shades / top)
    return figure


def most_confused(matrix: np.ndarray, classes: Sequence[str], k: int) -> list[dict[str, Any]]:
    """Return the `k` largest cells off the diagonal, most samples first, empty cells left out.

    Each is `{"actual", "predicted", "count", "share"}`, share being the part of the actual class.
    """
    matrix = _checked(matrix, classes)
    shares = row_shares(matrix)
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.lexsort((-shares.ravel(), -wrong.ravel()))[:k]
    rows, columns = np.unravel_index(order, matrix.shape)
    return [
        {
            "actual": classes[i],
            "predicted": classes[j],
            "count": int(wrong[i, j]),
            "share": float(shares[i, j]),
        }
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
        if wrong[i, j]
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


def _draw_cells(axes: Axes, shades: np.ndarray, block: int, top: float) -> AxesImage:
    """Draw `(C, C)` shades, the largest of each `block` x `block` as one cell."""
    count = len(shades)
    padded = np.pad(shades, (0, -count % block))
    cells = padded.reshape(len(padded) // block, block, -1, block).max(axis=(1, 3))
    end = len(padded) - 0.5
    box = (-0.5, end, end, -0.5)  # in classes, whatever the size of a cell
    smooth = "nearest" if block > 1 else None  # filtering a large matrix takes time
    drawn = axes.imshow(cells, "Blues", vmin=0.0, vmax=top, extent=box, interpolation=smooth)
    axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5))
    return drawn


def _label_axes(axes: Axes, classes: Sequence[str]) -> None:
    step = -(-len(classes) // (MAX_NAMES if len(classes) <= MANY_CLASSES else FEW_NAMES))
    ticks = range(0, len(classes), step)
    # Dollar signs would start matplotlib's formula mode.
    names = [str(classes[i]).replace("$", r"\$") for i in ticks]
    size = 9 if len(classes) <= MAX_NUMBERS else 6
    steep = max(map(len, names)) > 4 and len(classes) > 3
    axes.set_xticks(ticks, names, rotation=45 if steep else 0, fontsize=size)
    if steep:
        for label in axes.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, names, fontsize=size)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _write_counts(axes: Axes, matrix: np.ndarray, shades: np.ndarray) -> None:
    colours = matplotlib.colormaps["Blues"](shades)
    luminance = colours[..., :3] @ np.array([0.2126, 0.7152, 0.0722])
    size = 9.0 if len(matrix) <= 12 else 6.0
    for (i, j), count in np.ndenumerate(matrix):
        ink = "white" if luminance[i, j] < 0.5 else "#1c1e26"
        axes.text(j, i, short_count(int(count)), ha="center", va="center", color=ink, fontsize=size)
