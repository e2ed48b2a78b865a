"""Small figures for one line and one histogram."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLOUR = "#2563a8"


def curve_figure(x: np.ndarray, y: np.ndarray, axes: tuple[str, str], title: str = "") -> Figure:
    """Draw a line through `(P,)` points, its axes named; points that are not finite leave a gap."""
    figure, plot = _empty(axes, title)
    plot.plot(x, y, color=COLOUR, linewidth=1.8, marker="o" if len(x) < 3 else None)
    return figure


def histogram_figure(
    counts: np.ndarray, edges: np.ndarray, title: str = "", label: str = "value"
) -> Figure:
    """Draw `(B,)` counts over `(B + 1,)` edges."""
    figure, plot = _empty((label, "count"), title)
    plot.stairs(counts, edges, fill=True, color=COLOUR, alpha=0.85)
    return figure


def thin(x: np.ndarray, y: np.ndarray, limit: int) -> tuple[np.ndarray, np.ndarray]:
    """Return at most `limit` of `(P,)` points, evenly spaced, the first and the last among them."""
    if len(x) <= limit:
        return x, y
    keep = np.linspace(0, len(x) - 1, limit).round().astype(int)
    return x[keep], y[keep]


def _empty(axes: tuple[str, str], title: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(5.2, 3.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    plot = figure.add_subplot()
    plot.set(xlabel=axes[0], ylabel=axes[1], title=title)
    plot.grid(alpha=0.25)
    plot.spines[["top", "right"]].set_visible(False)
    return figure, plot
