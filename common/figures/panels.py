"""Panels side by side in one figure: lines with marks, histograms, in one look."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

INK, PALE = "#1c1e26", "#8a94a6"
PALETTE = (
    *("#2563a8", "#d97706", "#15803d", "#b91c1c", "#7c3aed", "#0891b2"),
    *("#be185d", "#65a30d", "#92400e", "#4b5563", "#38bdf8", "#f472b6"),
)


class Line(NamedTuple):
    """A line through `(P,)` points; lines of one label share an entry in the legend."""

    x: np.ndarray
    y: np.ndarray
    label: str = ""
    colour: str = PALETTE[0]
    width: float = 1.6
    style: str = "-"


class Mark(NamedTuple):
    """A point that stands out, with a word beside it."""

    x: float
    y: float
    label: str


class Panel(NamedTuple):
    """One system of axes and what is drawn there."""

    title: str
    axes: tuple[str, str]
    lines: Sequence[Line]
    marks: Sequence[Mark] = ()
    unit: bool = True  # both axes reach from 0 to 1


def line_figure(panels: Sequence[Panel], legend: str = "") -> Figure:
    """Draw panels of lines; with a `legend` its title, one legend for all stands beside them."""
    figure, plots = panel_grid(len(panels), extra=2.0 if legend else 0.0)
    for plot, panel in zip(plots, panels, strict=True):
        dress(plot, panel.axes, panel.title)
        for line in panel.lines:
            plot.plot(
                line.x, line.y, color=line.colour, linewidth=line.width, linestyle=line.style,
                label=line.label or "_", marker="o" if len(line.x) == 1 else None,
            )  # fmt: skip
        for mark in panel.marks:
            _mark(plot, mark)
        if panel.unit:
            plot.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    if legend:
        side_legend(figure, plots, legend)
    return figure


def side_legend(
    figure: Figure, plots: Sequence[Axes], title: str = "", place: Any = "outside right upper"
) -> None:
    """Write one legend for all plots, outside of them; a label of several plots stands once."""
    found: dict[str, Artist] = {}
    for plot in plots:
        for handle, label in zip(*plot.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        columns = 2 if "lower" in place else 1
        options: dict[str, Any] = {"title": plain(title), "ncols": columns, "fontsize": 8}
        handles, labels = list(found.values()), list(found)
        figure.legend(handles=handles, labels=labels, loc=place, frameon=False, **options)


def panel_grid(count: int, width: float = 4.0, extra: float = 0.0) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` empty plots in a row, each 3.6 inches high."""
    figure = Figure(figsize=(width * count + extra, 3.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure, [figure.add_subplot(1, count, place + 1) for place in range(count)]


def dress(plot: Axes, axes: tuple[str, str], title: str) -> None:
    """Give a plot its names, a faint grid and no frame."""
    plot.set(xlabel=axes[0], ylabel=axes[1])
    plot.set_title(plain(title), fontsize=10)
    plot.grid(alpha=0.25)
    plot.spines[["top", "right"]].set_visible(False)


def plain(text: str) -> str:
    """Return a text in which dollar signs do not start matplotlib's formula mode."""
    return str(text).replace("$", r"\$")


def _mark(plot: Axes, mark: Mark) -> None:
    plot.plot([mark.x], [mark.y], "o", color=INK, markersize=6, zorder=5)
    left = mark.x > 0.5
    plot.annotate(
        mark.label,
        (mark.x, mark.y),
        xytext=(-8 if left else 8, -12),
        textcoords="offset points",
        ha="right" if left else "left",
        fontsize=8,
        color=INK,
        bbox={"boxstyle": "round,pad=0.1", "color": "white", "alpha": 0.7},
    )
