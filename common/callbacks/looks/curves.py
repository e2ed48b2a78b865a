"""How well does the model rank, whatever threshold is chosen later?"""

import warnings
from collections.abc import Mapping, Sequence

import numpy as np

from common.callbacks.looks.base import Look
from common.evaluation import Evaluation
from common.figures.curves import ranking_figure
from common.figures.lines import thin
from common.keys import PREDICTION, TARGET
from common.metrics.curves import (
    LEVELS,
    Curve,
    average_precision,
    counts_at,
    interpolated_precision,
    ranking_curve,
    roc_auc,
)

MAX_SCALARS = 50  # classes; beyond these the table alone tells of each
POINTS = 500  # of a logged line


class Curves(Look):
    """Precision-recall and ROC with their areas, of each class and over all; sons give the curves.

    A class that is always or never there has no curve: it is NaN in the table, with a warning.
    """

    mark: tuple[float, str] | None = (0.5, "at 0.5")  # shown where there is one curve

    def look(self, evaluation: Evaluation) -> None:
        """Log a figure, a table, one line and the areas."""
        curves = self.curves(evaluation)
        rows = class_scores(curves)
        one_sided = [name for name, curve in curves.items() if not curve.two_sided]
        if one_sided:
            said = f"{', '.join(one_sided[:5])}{' …' if len(one_sided) > 5 else ''}"
            warnings.warn(f"always or never there in this fold, no curve: {said}", stacklevel=2)
        kept = {name: curve for name, curve in curves.items() if curve.two_sided}
        self.logger.table("valid/class_scores", list(rows.values()), **self.moment)
        self.logger.scalars(area_scalars(rows), **self.moment)
        if not kept:
            return
        figure = ranking_figure(kept, rows, self.mark)
        self.logger.figure("valid/curves", figure, **self.moment)
        x, y = mean_line(list(kept.values()))
        axes, counts = ("recall", "precision"), counts_at(list(kept.values()))
        name = "valid/precision_recall"
        self.logger.curve(name, x, y, axes=axes, counts=counts, **self.moment)

    def curves(self, evaluation: Evaluation) -> dict[str, Curve]:
        """Return the curve of each class that has one of its own."""
        raise TypeError(f"{type(self).__name__} does not say what it ranks")


class ClassCurves(Curves):
    """Each class against the rest; of two classes the second."""

    def curves(self, evaluation: Evaluation) -> dict[str, Curve]:
        """Return the curve of each class."""
        target, prediction = evaluation[TARGET], evaluation[PREDICTION]
        names = dict(enumerate(self.config.classes))
        if target.ndim == 1 and len(names) == 2:
            names.pop(0)
        truths = (target[:, c] > 0.5 if target.ndim == 2 else target == c for c in names)
        return {
            name: ranking_curve(truth, prediction[:, place])
            for (place, name), truth in zip(names.items(), truths, strict=True)
        }


def class_scores(curves: Mapping[str, Curve]) -> dict[str, dict[str, float | str]]:
    """Return per class its positives, areas and best F1 with its threshold; the worst first."""
    rows: dict[str, dict[str, float | str]] = {}
    for name, curve in curves.items():
        known = curve.two_sided and np.isfinite(curve.thresholds).all()
        best = int(curve.f1.argmax()) if known else 0
        rows[name] = {
            "class": name,
            "positives": curve.positives,
            "average_precision": average_precision(curve) if known else np.nan,
            "roc_auc": roc_auc(curve) if known else np.nan,
            "best_f1": float(curve.f1[best]) if known else np.nan,
            "at_threshold": float(curve.thresholds[best]) if known else np.nan,
        }
    return dict(sorted(rows.items(), key=lambda item: _last_if_nan(item[1]["average_precision"])))


def area_scalars(rows: Mapping[str, Mapping[str, float | str]]) -> dict[str, float]:
    """Return both areas of each class and their means, by the names they are logged under."""
    scalars: dict[str, float] = {}
    for area in ("average_precision", "roc_auc"):
        values = {name: float(row[area]) for name, row in rows.items()}
        finite = {name: value for name, value in values.items() if np.isfinite(value)}
        if len(rows) <= MAX_SCALARS:
            scalars |= {f"valid/{area}/{name}": value for name, value in finite.items()}
        if len(rows) > 1 and finite:
            scalars[f"valid/{area}/mean"] = float(np.mean(list(finite.values())))
    return scalars


def mean_line(curves: Sequence[Curve]) -> tuple[np.ndarray, np.ndarray]:
    """Return recall and precision: of one curve as it is, of several the mean at each recall."""
    if len(curves) == 1:
        return thin(curves[0].recall, curves[0].precision, POINTS)
    return LEVELS, np.nanmean([interpolated_precision(curve) for curve in curves], axis=0)


def _last_if_nan(value: float | str) -> float:
    return float(value) if np.isfinite(float(value)) else np.inf
