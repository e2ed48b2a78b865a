"""A score by group: bars for one column, a heat map for two that are crossed."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from common.figures.panels import INK, PALE, PALETTE, dress, panel_grid, plain, side_legend


def bars_figure(
    names: Sequence[str],
    values: np.ndarray,
    counts: np.ndarray,
    metric: str,
    overall: float,
    column: str,
    maximise: bool = True,
) -> Figure:
    """Draw a bar per group, beside its count of samples, the worst in orange.

    Args:
        values: `(G,)` scores; NaN shows as no bar.
        counts: `(G,)` samples.
        overall: score over all groups, a dashed line; NaN for none.
        column: what the groups are of.
    """
    figure, (plot,) = panel_grid(1, width=6.2)
    figure.set_figheight(1.2 + 0.3 * max(len(names), 2))
    said = metric.replace("_", " ")
    dashed = f" (all: {overall:.4g}, dashed)" if np.isfinite(overall) else ""
    dress(plot, (said, ""), f"{said} by {column}{dashed}")
    labels = [f"{name} ({count:,})" for name, count in zip(names, counts, strict=True)]
    _bars(plot, labels, np.asarray(values, float), maximise)
    if np.isfinite(overall):
        plot.axvline(overall, color=INK, linestyle="--", linewidth=1.2)
    return figure


def heat_figure(
    values: np.ndarray,
    counts: np.ndarray,
    names: Sequence[Sequence[str]],
    columns: Sequence[str],
    metric: str,
    maximise: bool = True,
) -> Figure:
    """Draw `(A, B)` scores as shades, dark is bad, with the score and count of each cell.

    Args:
        names: of the A rows and of the B columns.
        columns: what rows and columns are of.
    """
    height, width = values.shape
    figure, (plot,) = panel_grid(1, width=2.6 + 0.9 * width)
    figure.set_figheight(1.5 + 0.5 * height)
    cmap = "Oranges_r" if maximise else "Oranges"
    drawn = plot.imshow(np.ma.masked_invalid(values), cmap=cmap, aspect="auto")
    figure.colorbar(drawn, ax=plot).set_label(metric.replace("_", " "))
    for axis, labels, column in zip(("y", "x"), names, columns, strict=True):
        plot.set(**{f"{axis}label": plain(column)})
        ticks = [plain(name) for name in labels]
        (plot.set_yticks if axis == "y" else plot.set_xticks)(range(len(ticks)), ticks)
    plot.tick_params(length=0, labelsize=9)
    plot.spines[:].set_visible(False)
    plot.set_title("score and samples of each cell, dark is bad", fontsize=10)
    for (row, column), count in np.ndenumerate(counts):
        _write(plot, float(values[row, column]), int(count), (column, row), drawn)
    return figure


def pairs_figure(
    names: Sequence[str], pairs: dict[str, np.ndarray], label: str, title: str
) -> Figure:
    """Draw two or three bars a row, such as truth and prediction; `pairs` holds `(G,)` lengths."""
    figure, (plot,) = panel_grid(1, width=6.2)
    figure.set_figheight(1.3 + 0.4 * max(len(names), 2))
    dress(plot, (label, ""), title)
    step = 0.8 / len(pairs)
    for place, (name, values) in enumerate(pairs.items()):
        centres = np.arange(len(names)) + (place - (len(pairs) - 1) / 2) * step
        plot.barh(centres, np.nan_to_num(values), step, color=PALETTE[place], label=name)
    plot.set_yticks(range(len(names)), [plain(name) for name in names], fontsize=9)
    plot.invert_yaxis()
    side_legend(figure, [plot])
    return figure


def _bars(plot: Axes, names: Sequence[str], values: np.ndarray, maximise: bool) -> None:
    places, known = range(len(names)), np.isfinite(values)
    colours = np.full(len(values), PALETTE[0], object)
    if known.sum() > 1:
        colours[(np.nanargmin if maximise else np.nanargmax)(values)] = PALETTE[1]
    plot.barh(places, np.where(known, values, 0), color=colours.tolist(), height=0.7)
    plot.set_yticks(places, [plain(name) for name in names], fontsize=9)
    plot.invert_yaxis()
    longest = max(float(np.abs(values[known]).max(initial=0)), 1e-9)
    for place, value in zip(places, values, strict=True):
        inside = bool(value > longest / 3)  # written into the bar
        text = f" {value:.3g} " if np.isfinite(value) else " no score"
        plot.text(
            0 if inside else max(np.nan_to_num(value), 0),
            place,
            text,
            va="center",
            ha="left",
            fontsize=8,
            color="white" if inside else INK if np.isfinite(value) else PALE,
        )


def _write(plot: Axes, value: float, count: int, place: tuple[int, int], drawn: object) -> None:
    norm, cmap = drawn.norm, drawn.cmap  # type: ignore[attr-defined]
    known = bool(np.isfinite(value))
    shade = np.array(cmap(norm(value))[:3]) if known else np.ones(3)
    ink = "white" if shade @ np.array([0.2126, 0.7152, 0.0722]) < 0.45 else INK
    text = f"{value:.3g}\n{count:,}" if known else (f"no score\n{count:,}" if count else "")
    plot.text(*place, text, ha="center", va="center", fontsize=8, color=ink)
