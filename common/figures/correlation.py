"""How alike the errors of several models are: the less, the more a blend has to gain."""

from collections.abc import Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from common.figures.panels import INK, plain


def correlation_figure(matrix: np.ndarray, names: Sequence[str], title: str) -> Figure:
    """Draw an `(M, M)` correlation matrix, -1..1, a number in each cell."""
    side = 2.6 + 0.62 * len(names)
    figure = Figure(figsize=(side + 0.9, side), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    drawn = axes.imshow(matrix, cmap="RdBu_r", vmin=-1, vmax=1)
    figure.colorbar(drawn, ax=axes, shrink=0.8).set_label("correlation")
    labels = [plain(name) for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(names)), labels)
    axes.tick_params(length=0, labelsize=9)
    axes.spines[:].set_visible(False)
    axes.set_title(plain(title), fontsize=10)
    for (row, column), value in np.ndenumerate(np.asarray(matrix)):
        ink = "white" if abs(value) > 0.6 else INK
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=9)
    return figure
