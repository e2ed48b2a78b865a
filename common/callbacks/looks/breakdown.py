"""Which part of the data is worse than the rest?"""

import warnings
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from common.callbacks.looks.base import Look
from common.data.columns import CROSS
from common.evaluation import Evaluation
from common.figures.breakdown import bars_figure, heat_figure
from common.keys import INDEX, LOSS, PREDICTION, TARGET
from common.metrics.base import Metric

MAX_GROUPS = 40  # the largest; a column of more values divides nothing


class Groups(NamedTuple):
    """Rows of an evaluation by one column, or by the cells of several."""

    columns: list[str]
    names: list[list[str]]  # the values of each column
    cells: np.ndarray  # (N,) int64, cell of each row, the last column varying fastest

    def label(self, cell: int) -> dict[str, str]:
        """Return the value of each column in a cell."""
        places = np.unravel_index(cell, [len(names) for names in self.names])
        return {
            column: names[place]
            for column, names, place in zip(self.columns, self.names, places, strict=True)
        }


class Breakdown(Look):
    """Metric and loss of each group, by the columns that `log.breakdown` names.

    Two columns joined by `*` are crossed in a heat map. Where the metric exists in no group (a
    ranking needs both classes), the figure shows the loss.
    """

    def look(self, evaluation: Evaluation) -> None:
        """Log a table and a figure for each name."""
        columns = self.learn.dls.valid.dataset.columns
        for name in self.config.log.breakdown:
            groups = group_rows({c: columns[c] for c in name.split(CROSS)}, evaluation[INDEX])
            table = score_groups(evaluation, groups, self.metric())
            rows = [{**groups.label(cell), **row} for cell, row in table.items()]
            self.logger.table(f"valid/breakdown_table/{name}", rows, **self.moment)
            self._draw(evaluation, name, groups, table)

    def metric(self) -> Metric | None:
        """Return the competition's metric, if the learner has it."""
        scored = {metric.name: metric for metric in self.learn.evaluate_callback.scored}
        return scored.get(self.config.metric)

    def _draw(
        self, evaluation: Evaluation, name: str, groups: Groups, table: dict[int, dict[str, Any]]
    ) -> None:
        metric, cells = self.metric(), list(table)
        known = metric and any(np.isfinite(row[metric.name]) for row in table.values())
        shown = metric.name if metric and known else LOSS
        up = bool(metric and metric.maximise and shown != LOSS)
        values = np.array([row[shown] for row in table.values()], float)
        counts = np.array([row["samples"] for row in table.values()])
        if len(groups.columns) == 2:
            shape = [len(names) for names in groups.names]
            grids = np.full(shape, np.nan), np.zeros(shape, np.int64)
            for grid, column in zip(grids, (values, counts), strict=True):
                grid.flat[cells] = column
            figure = heat_figure(*grids, groups.names, groups.columns, shown, up)
        else:
            labels = [", ".join(groups.label(cell).values()) for cell in cells]
            overall = evaluation.scores.get(shown, float(np.mean(evaluation[LOSS])))
            figure = bars_figure(labels, values, counts, shown, overall, name, up)
        self.logger.figure(f"valid/breakdown/{name}", figure, **self.moment)


def group_rows(columns: dict[str, pd.Categorical], index: np.ndarray) -> Groups:
    """Return the cell of each row of an evaluation; a row without a value is of the group "none".

    Args:
        columns: a value per sample of the dataset.
        index: `(N,)` which sample each row is of.
    """
    names, codes = [], []
    for column in columns.values():
        code = column.codes[index].astype(np.int64)
        known = [str(value) for value in column.categories]
        names.append([*known, "none"] if (code < 0).any() else known)
        codes.append(np.where(code < 0, len(known), code))
    cells = np.ravel_multi_index(codes, [len(known) for known in names])
    return Groups(list(columns), names, cells)


def score_groups(
    evaluation: Evaluation, groups: Groups, metric: Metric | None
) -> dict[int, dict[str, Any]]:
    """Return by cell its number of samples, its score and its mean loss, of the 40 largest."""
    found, counts = np.unique(groups.cells, return_counts=True)
    largest = np.sort(np.argsort(-counts, kind="stable")[:MAX_GROUPS])
    order = np.argsort(groups.cells, kind="stable")
    rows = np.split(order, np.cumsum(counts)[:-1])
    table = {}
    for place in largest.tolist():
        score = {metric.name: _score(evaluation, rows[place], metric)} if metric else {}
        loss = float(np.mean(evaluation[LOSS][rows[place]]))
        table[int(found[place])] = {"samples": int(counts[place]), **score, LOSS: loss}
    return table


def _score(evaluation: Evaluation, rows: np.ndarray, metric: Metric) -> float:
    target, prediction = (_take(evaluation[key], rows) for key in (TARGET, PREDICTION))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a group may lack a class; it says "no score"
        return float(metric.function(target, prediction))


def _take(column: Any, rows: np.ndarray) -> Any:
    return column[rows] if isinstance(column, np.ndarray) else [column[row] for row in rows]
