"""What happens to each label of a multi-label classifier: four numbers a row."""

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from common.figures.confusion import short_count
from common.figures.panels import INK, plain

FATES = ("found", "missed", "invented", "rightly left")
MAX_ROWS = 40


def label_confusion_figure(counts: np.ndarray, classes: Sequence[str]) -> Figure:
    """Draw `(C, 4)` hits, misses, false alarms and true negatives, a row per class.

    Good cells are blue and bad ones orange; a shade is the share of the samples with that label
    (found, missed) or without it. Beyond 40 classes those with the lowest F1 are drawn.
    """
    rows = worst_labels(counts)[:MAX_ROWS]
    counts = np.asarray(counts)[rows]
    sides = counts.reshape(-1, 2, 2)
    share = (sides / np.maximum(sides.sum(2, keepdims=True), 1)).reshape(-1, 4)
    good = np.array([True, False, False, True])
    blue, orange = (matplotlib.colormaps[name](share * 0.55) for name in ("Blues", "Oranges"))
    shades = np.where(good[None, :, None], blue, orange)
    figure = Figure(figsize=(5.4, 1.3 + 0.3 * len(rows)), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    plot = figure.add_subplot()
    plot.imshow(shades, aspect="auto")
    plot.set_yticks(range(len(rows)), [plain(classes[row]) for row in rows], fontsize=9)
    plot.set_xticks(range(4), FATES, fontsize=9)
    plot.axvline(1.5, color="white", linewidth=6)
    plot.tick_params(length=0, top=True, bottom=False, labeltop=True, labelbottom=False)
    plot.spines[:].set_visible(False)
    plot.set_title("of images with the label  |  of images without it", fontsize=10)
    for (row, column), count in np.ndenumerate(counts):
        text = f"{short_count(int(count))}  {share[row, column]:.0%}"
        plot.text(column, row, text, ha="center", va="center", fontsize=8, color=INK)
    return figure


def worst_labels(counts: np.ndarray) -> np.ndarray:
    """Return the rows of `(C, 4)` hits, misses, alarms, true negatives by ascending F1."""
    hit, miss, alarm, _ = np.asarray(counts).T
    return np.argsort(2 * hit / np.maximum(2 * hit + miss + alarm, 1), kind="stable")
