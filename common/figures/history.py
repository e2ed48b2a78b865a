"""How a training went: one panel for the loss and one per metric, over the epochs."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

MAX_PANELS = 6
COLOURS = {"train": "#8a94a6", "valid": "#c2410c"}
Series = dict[str, dict[str, tuple[np.ndarray, np.ndarray]]]


def history_figure(
    rows: Sequence[Mapping[str, float]],
    best_epoch: float | None = None,
    columns: int | None = None,
) -> Figure:
    """Draw the rows of `metrics.jsonl`: `train/x` and `valid/x` share a panel, the loss is first.

    Rows of single steps are drawn faintly, with their mean per epoch over them. Panels beyond the
    sixth are left out. `best_epoch` is marked by a dotted line. By default the figure is
    wide; `columns` sets how many panels stand side by side.
    """
    series = _panels(rows)
    names = list(series) or ["loss"]
    columns = columns or (2 if len(names) == 4 else min(len(names), 3))
    height = -(-len(names) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.0 * height), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for i, name in enumerate(names):
        axes = figure.add_subplot(height, columns, i + 1)
        if best_epoch is not None:
            axes.axvline(best_epoch, color="#1c1e26", linestyle=":", zorder=0, label="best epoch")
        _draw_panel(axes, name, series.get(name, {}))
    return figure


def by_epoch(rows: Sequence[Mapping[str, float]]) -> dict[int, dict[str, float]]:
    """Return per epoch the value of each name: the last of an epoch's rows, the mean of its steps.

    A name counts as one of single steps if it has values inside an epoch (at a fractional epoch).
    """
    values: dict[str, dict[int, list[float]]] = {}
    inside: set[str] = set()
    for row in rows:
        epoch = row.get("epoch", 0)
        for name in row.keys() - {"epoch", "global_step", "time"}:
            values.setdefault(name, {}).setdefault(math.ceil(epoch - 1e-6), []).append(row[name])
            if abs(epoch - round(epoch)) > 1e-6:
                inside.add(name)
    table: dict[int, dict[str, float]] = {}
    for name in sorted(values):
        for epoch, found in values[name].items():
            value = sum(found) / len(found) if name in inside else found[-1]
            table.setdefault(epoch, {})[name] = value
    return dict(sorted(table.items()))


def _panels(rows: Sequence[Mapping[str, float]]) -> Series:
    """Return panel -> split -> (epochs, values), for the loss and for what validation measured."""
    series: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows:
        for name, value in row.items():
            split, slash, panel = name.partition("/")
            if slash and split in COLOURS:
                points = series.setdefault(panel, {}).setdefault(split, [])
                points.append((row.get("epoch", 0.0), value))
    # A name of three parts is a detail: of one class, of one threshold.
    shown = [p for p in series if p == "loss" or ("valid" in series[p] and "/" not in p)]
    shown.sort(key=lambda panel: (panel != "loss", "loss" in panel, panel))
    return {
        panel: {
            split: (np.array(points, float)[:, 0], np.array(points, float)[:, 1])
            for split, points in series[panel].items()
        }
        for panel in shown[:MAX_PANELS]
    }


def _draw_panel(axes: Axes, name: str, splits: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    for split, (epochs, values) in sorted(splits.items()):
        colour = COLOURS[split]
        if np.any(np.abs(epochs - np.round(epochs)) > 1e-6):
            axes.plot(epochs, values, color=colour, alpha=0.35, linewidth=0.8)
            epochs, values = _epoch_means(epochs, values)
        axes.plot(epochs, values, color=colour, label=split, linewidth=2, marker="o", markersize=4)
    axes.set_title(name, fontsize=11, loc="left", fontweight="bold")
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
    if splits:
        axes.legend(frameon=False, fontsize=9)


def _epoch_means(epochs: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    ends = np.ceil(epochs - 1e-6)
    unique = np.unique(ends)
    return unique, np.array([values[ends == end].mean() for end in unique])
