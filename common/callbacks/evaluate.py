"""Gathers the validation once and computes every metric from it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from common import distributed
from common.callbacks.base import Callback
from common.evaluation import Evaluation, Gather, gather_all
from common.keys import PREDICTION, SCORE, TARGET
from common.metrics.base import Metric


class Evaluate(Callback):
    """Leaves `learn.evaluation`, with its `scores`, after each validation.

    Of several processes each has validated its part; all then have the whole.
    """

    order, run_train = 40, False

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.scored = list(metrics)
        self.gather: Any = None  # a Gather while validating

    def before_validate(self) -> None:
        self.gather = Gather(len(self.learn.dl.dataset))

    def after_loss(self) -> None:
        learn = self.learn
        batch, outputs, losses = learn.batch, learn.pred, learn.loss_func.samples
        kept = {TARGET: learn.targets(batch), PREDICTION: learn.predictions(outputs, batch)}
        scores = learn.auxiliary_scores(outputs, batch)
        self.gather.add({**batch, **kept}, losses, learn.loss_func.main(losses), scores)

    def after_cancel_validate(self) -> None:
        self.gather = None

    def after_validate(self) -> None:
        if self.gather is None:  # cancelled, as by the learning rate finder
            return
        evaluation = gather_all(self.gather)
        scores = self._score(evaluation) if distributed.is_first() else {}
        evaluation.scores = distributed.from_first(scores)
        self.learn.evaluation = evaluation

    def _score(self, evaluation: Evaluation) -> dict[str, float]:
        target, prediction = evaluation[TARGET], evaluation[PREDICTION]
        scores = {m.name: float(m.function(target, prediction)) for m in self.scored}
        return scores | auxiliary_means(evaluation)


def auxiliary_means(evaluation: Evaluation) -> dict[str, float]:
    """Return the mean of each further score over the samples of which it is known."""
    columns = {
        name.removeprefix(f"{SCORE}/"): column[~np.isnan(column)]
        for name, column in evaluation.columns.items()
        if name.startswith(f"{SCORE}/")
    }
    return {name: float(known.mean()) if len(known) else np.nan for name, known in columns.items()}
