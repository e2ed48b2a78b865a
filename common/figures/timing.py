"""Where the time of each epoch went."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

COLOURS = {  # waiting in warm tones, the network in blue, what is beside it in grey
    "data": "#c2410c",
    "copy": "#f59e0b",
    "forward": "#1e3a8a",
    "loss": "#3b6fd4",
    "backward": "#2563a8",
    "optimiser": "#93b8e8",
    "logging": "#8a94a6",
    "validation": "#cbd2dc",
}
WORDS = {
    "data": "waiting for images",
    "copy": "copy to the device",
    "logging": "logging, looks, checkpoints",
}


def timing_figure(epochs: Sequence[Mapping[str, float]], verdict: str = "") -> Figure:
    """Draw a stacked bar per epoch, seconds by part; the legend gives the last epoch's shares."""
    figure = Figure(figsize=(7.6, 3.6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    numbers = np.arange(1, len(epochs) + 1)
    total = max(sum(epochs[-1].values()), 1e-9)
    base = np.zeros(len(epochs))
    for part in epochs[-1]:
        heights = np.array([epoch[part] for epoch in epochs])
        label = f"{heights[-1] / total:4.0%} {WORDS.get(part, part)}"
        axes.bar(numbers, heights, 0.8, base, color=COLOURS.get(part), label=label)
        base += heights
    axes.set_xlim(0.4, max(len(epochs), 4) + 0.6)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
    axes.set(xlabel="epoch", ylabel="seconds")
    axes.set_title(verdict, fontsize=10, loc="left", fontweight="bold", wrap=True)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(
        handles[::-1],
        labels[::-1],
        title="last epoch",
        loc="center left",
        bbox_to_anchor=(1.0, 0.5),
        frameon=False,
        fontsize=9,
    )
    return figure
