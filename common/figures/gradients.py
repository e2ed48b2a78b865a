"""Gradients of all layers over training as one picture."""

from collections.abc import Mapping, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

MAX_NAMES = 60  # layers along the axis; of more, the ill and evenly chosen others are named
ILL = "#c2410c"
NONE, ZERO = "#eceef2", "#c2410c"


def gradient_figure(
    norms: np.ndarray, names: Sequence[str], steps: Sequence[int], words: Mapping[str, str]
) -> Figure:
    """Draw `(L, T)` norms, input above, output below, as shades of their logarithm.

    Args:
        norms: NaN: no gradient (frozen), zero: dead, infinite: not finite.
        names: of the L layers.
        steps: `(T,)` training steps of the columns.
        words: layer -> verdict, written behind its row.
    """
    height = min(12.0, 1.6 + 0.17 * len(names))
    figure = Figure(figsize=(7.6, height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    colours = matplotlib.colormaps["viridis"].with_extremes(bad=NONE, under=ZERO, over="black")
    shades, low, high = _shades(norms)
    scale = Normalize(low, high)
    drawn = axes.imshow(shades, cmap=colours, norm=scale, aspect="auto", interpolation="nearest")
    bar = figure.colorbar(drawn, ax=axes, pad=0.12 if words else 0.02)
    bar.set_label("norm of the gradient, power of ten")
    _label(axes, names, steps, words)
    ill = len(words)
    found = f"{ill} of {len(names)} ill: " if ill else f"all {len(names)} layers look healthy"
    kinds = ", ".join(sorted(set(words.values())))
    axes.set_title(f"Gradients: {found}{kinds}", fontsize=10, loc="left", fontweight="bold")
    legend = "grey: not trained   red: exactly zero   black: not finite"
    axes.set_xlabel(f"training step\n{legend}", fontsize=9)
    return figure


def thin_columns(
    values: np.ndarray, steps: Sequence[int], limit: int
) -> tuple[np.ndarray, list[int]]:
    """Return every other column of `(L, T)` values while they are more than `limit`."""
    kept = list(steps)
    while len(kept) > limit:
        values, kept = values[:, 1::2], kept[1::2]
    return values, kept


def _shades(norms: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Return logarithms, zero below and what is not finite above the range that is returned too."""
    usual = np.isfinite(norms) & (norms > 0)
    logarithms = np.log10(norms, out=np.full(norms.shape, np.nan), where=usual)
    low, high = (logarithms[usual].min(), logarithms[usual].max()) if usual.any() else (0.0, 1.0)
    high = max(high, low + 1)
    return np.select([norms == 0, np.isinf(norms)], [low - 1, high + 1], logarithms), low, high


def _label(
    axes: Axes, names: Sequence[str], steps: Sequence[int], words: Mapping[str, str]
) -> None:
    stride = -(-len(names) // MAX_NAMES)
    shown = [i for i, name in enumerate(names) if i % stride == 0 or name in words]
    axes.set_yticks(shown, [names[i] for i in shown], fontsize=6)
    for label, place in zip(axes.get_yticklabels(), shown, strict=True):
        if names[place] in words:
            label.set(color=ILL, fontweight="bold")
            text = words[names[place]]
            axes.text(len(steps) - 0.4, place, text, color=ILL, fontsize=7, va="center")
    ticks = np.unique(np.linspace(0, len(steps) - 1, min(len(steps), 8)).round().astype(int))
    axes.set_xticks(ticks, [str(steps[i]) for i in ticks], fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
