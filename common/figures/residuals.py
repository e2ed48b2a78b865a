"""Real-valued predictions against the truth: where they lie, how far off, how they spread."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from common.figures.panels import INK, PALETTE, dress, plain

MANY = 3000  # samples from which on a density says more than dots
MOST = 4  # columns that are drawn
BINS = 40
OUTSIDE = 0.25  # of the truth's range, that farther predictions may widen the axes by
TRENDS = 10  # groups of as many samples whose mean prediction is drawn
BLUE, ORANGE = PALETTE[0], PALETTE[1]


def residuals_figure(target: np.ndarray, prediction: np.ndarray, names: Sequence[str]) -> Figure:
    """Draw for each column predictions over truth, and beside it a histogram of the errors.

    Args:
        target, prediction: `(N, C)` finite, in the target's units.
        names: of C columns, of which the first four are drawn.
    """
    figure, plots = _rows_of(2, names)
    for place, (left, right) in enumerate(plots):
        _against(left, target[:, place], prediction[:, place], names[place])
        _errors(right, prediction[:, place] - target[:, place])
    return figure


def spread_figure(target: np.ndarray, prediction: np.ndarray, names: Sequence[str]) -> Figure:
    """Draw for each column the distributions of truth and prediction on one axis.

    Args:
        target, prediction: `(N, C)` finite, in the target's units.
        names: of C columns, of which the first four are drawn.
    """
    figure, plots = _rows_of(1, names)
    for place, (plot,) in enumerate(plots):
        truth, said = target[:, place], prediction[:, place]
        low, high = _ends(truth, said)
        edges = np.linspace(low, high, BINS + 1)
        for label, values, colour in (("truth", truth, BLUE), ("prediction", said, ORANGE)):
            shares = np.histogram(values.clip(low, high), edges)[0] / len(values)
            plot.stairs(shares, edges, fill=True, color=colour, alpha=0.25)
            words = f"{label}: {values.mean():.4g} ± {values.std():.3g}"
            plot.stairs(shares, edges, color=colour, linewidth=1.5, label=words)
        dress(plot, (plain(names[place]), "share of samples"), _spread_words(truth, said))
        plot.legend(frameon=False, fontsize=8)
    return figure


def _against(plot: Axes, truth: np.ndarray, said: np.ndarray, name: str) -> None:
    low, high = _ends(truth, said)
    inside = said.clip(low, high)  # what is farther off lies on the edge
    if len(truth) > MANY:
        drawn = plot.hexbin(
            truth, inside, gridsize=45, cmap="Blues", norm=LogNorm(), mincnt=1,
            extent=(low, high, low, high),
        )  # fmt: skip
        plot.figure.colorbar(drawn, ax=plot, shrink=0.8).set_label("samples")
    else:
        size = 26 if len(truth) < 200 else 9
        plot.scatter(truth, inside, s=size, color=BLUE, alpha=0.5, linewidths=0)
    plot.plot([low, high], [low, high], color=INK, linestyle="--", linewidth=1.2, label="perfect")
    groups = np.array_split(np.argsort(truth, kind="stable"), TRENDS)
    if len(truth) >= 5 * TRENDS and np.ptp(truth) > 0:
        means = [(truth[rows].mean(), said[rows].mean()) for rows in groups]
        label = "mean prediction"
        plot.plot(*zip(*means, strict=True), "o-", color=ORANGE, markersize=4, label=label)
    plot.set(xlim=(low, high), ylim=(low, high))
    dress(plot, (f"true {plain(name)}", f"predicted {plain(name)}"), _fit_words(truth, said))
    plot.legend(frameon=False, fontsize=8, loc="upper left")


def _errors(plot: Axes, errors: np.ndarray) -> None:
    reach = float(np.quantile(np.abs(errors), 0.995)) or 1.0
    edges = np.linspace(-reach, reach, BINS + 1)
    counts = np.histogram(errors.clip(-reach, reach), edges)[0]
    plot.stairs(counts, edges, fill=True, color=BLUE, alpha=0.6)
    plot.axvline(0, color=INK, linestyle="--", linewidth=1.2)
    bias = float(errors.mean())
    plot.axvline(bias, color=ORANGE, linewidth=1.8, label=f"mean error {bias:+.3g}")
    half = float(np.median(np.abs(errors)))
    axes = ("← too low      predicted - true      too high →", "samples")
    dress(plot, axes, f"half of all are off by less than {half:.3g}")
    plot.legend(frameon=False, fontsize=8)


def _rows_of(columns: int, names: Sequence[str]) -> tuple[Figure, list[list[Axes]]]:
    rows = min(len(names), MOST)
    figure = Figure(figsize=(4.8 * columns + 0.6, 3.8 * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    if len(names) > MOST:
        figure.suptitle(f"the first {MOST} of {len(names)} columns", fontsize=10)
    grid = figure.subplots(rows, columns, squeeze=False)
    return figure, [list(row) for row in grid]


def _ends(truth: np.ndarray, said: np.ndarray) -> tuple[float, float]:
    """Return what both axes reach over: the truth and what is predicted near it."""
    low, high = float(truth.min()), float(truth.max())
    room = OUTSIDE * (high - low) or np.inf
    low, high = min(low, max(said.min(), low - room)), max(high, min(said.max(), high + room))
    edge = 0.04 * (high - low) or 1.0
    return low - edge, high + edge


def _fit_words(truth: np.ndarray, said: np.ndarray) -> str:
    rmse = float(np.sqrt(np.square(said - truth).mean()))
    spread = float(truth.std())
    beside = f" (always the mean: {spread:.3g})" if spread > 0 else ""
    return f"RMSE {rmse:.3g}{beside}, {len(truth):,} samples"


def _spread_words(truth: np.ndarray, said: np.ndarray) -> str:
    if not truth.std() > 0:
        return "all true numbers are alike"
    return f"predictions spread {said.std() / truth.std():.0%} as far as the truth"
