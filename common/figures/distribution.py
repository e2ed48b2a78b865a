"""How sure the model is, where it is right and where it is not."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from common.figures.panels import INK, PALE, PALETTE, dress, panel_grid, plain, side_legend

MAX_ROWS = 25  # classes of a heat map
RIGHT, WRONG = PALETTE[2], PALETTE[3]


def shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return `(B,)` shares of the values in each bin, which sum to 1, or to 0 without values."""
    counts = np.histogram(values, edges)[0]
    return counts / max(counts.sum(), 1)


def draw_shares(
    plot: Axes,
    edges: np.ndarray,
    groups: dict[str, np.ndarray],
    colours: Sequence[str],
    line: tuple[float, str] | None = None,
) -> None:
    """Draw `(B,)` shares of each named group over `(B + 1,)` edges, and a line with its name."""
    for (name, values), colour in zip(groups.items(), colours, strict=False):
        plot.stairs(values, edges, fill=True, color=colour, alpha=0.3)
        plot.stairs(values, edges, color=colour, linewidth=1.4, label=plain(name))
    if line is not None:
        plot.axvline(line[0], color=INK, linestyle="--", linewidth=1.4, label=line[1])
    plot.set_xlim(edges[0], edges[-1])
    plot.legend(frameon=False, fontsize=8)


def draw_middle(plot: Axes, low: float, high: float) -> None:
    """Shade the range in which the model has not decided."""
    plot.axvspan(low, high, color=PALE, alpha=0.15, linewidth=0, label="undecided")


def draw_rows(plot: Axes, rows: np.ndarray, names: Sequence[str]) -> None:
    """Draw `(C, B)` shares over 0..1 as a row of shades per class; few samples stay visible."""
    shades = np.sqrt(rows)
    plot.imshow(
        shades,
        cmap="Blues",
        vmin=0,
        vmax=max(float(shades.max(initial=0)), 1e-6),
        aspect="auto",
        extent=(0, 1, len(rows) - 0.5, -0.5),
        interpolation="nearest",
    )
    plot.set_yticks(range(len(rows)), [plain(name) for name in names], fontsize=8)
    plot.grid(visible=False)


def binary_figure(
    edges: np.ndarray,
    groups: dict[str, np.ndarray],
    label: str,
    title: str,
    line: tuple[float, str] | None,
    middle: tuple[float, float] = (0.3, 0.7),
) -> Figure:
    """Draw the shares of both true classes over the probability of the second."""
    figure, (plot,) = panel_grid(1, width=5.6)
    dress(plot, (plain(label), "share of the true class"), title)
    draw_middle(plot, *middle)
    draw_shares(plot, edges, groups, PALETTE, line)
    return figure


def classes_figure(
    edges: np.ndarray,
    outcomes: dict[str, np.ndarray],
    rows: np.ndarray,
    names: Sequence[str],
    title: str,
    sure: float = 0.6,
) -> Figure:
    """Draw the top probability of right and wrong samples, and by class that of the true one.

    Args:
        outcomes: `(B,)` shares of the samples that are right and wrong.
        rows: `(C, B)` shares of each class's samples by the probability of that class.
    """
    figure, (left, right) = panel_grid(2, width=4.6)
    dress(left, ("probability of the predicted class", "share of all samples"), title)
    draw_middle(left, edges[0], sure)
    draw_shares(left, edges, outcomes, (RIGHT, WRONG))
    axes = ("probability given to the true class", "true class")
    dress(right, axes, "samples of each class: dark on the right is good")
    draw_rows(right, rows, names)
    return figure


def labels_figure(
    present: np.ndarray,
    absent: np.ndarray,
    names: Sequence[str],
    thresholds: np.ndarray,
    line: tuple[float, str] | None,
    title: str,
) -> Figure:
    """Draw by class the probability of a label where it is present and where it is absent.

    Args:
        present, absent: `(C, B)` shares of such samples.
        thresholds: `(C,)` best of each class, drawn as ticks; NaN for none.
        line: the best threshold for all classes and its name.
    """
    figure, (left, right) = panel_grid(2, width=4.8)
    dress(left, ("predicted probability", ""), "label present: dark on the right is good")
    dress(right, ("predicted probability", ""), "label absent: dark on the left is good")
    for plot, rows in ((left, present), (right, absent)):
        draw_rows(plot, rows, names)
        for row, threshold in enumerate(thresholds):
            label = "" if row else "best F1 of the label"
            plot.plot([threshold] * 2, [row - 0.3, row + 0.3], color=WRONG, lw=2, label=label)
        if line is not None:
            plot.axvline(line[0], color=INK, linestyle="--", linewidth=1.4, label=line[1])
    side_legend(figure, [left], place="outside lower center")
    figure.suptitle(title, fontsize=10)
    return figure
