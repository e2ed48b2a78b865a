"""From what a head says to what is true of an image: grades, numbers, auxiliary columns."""

from collections.abc import Mapping
from math import log, nan

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from common.config import Config
from common.keys import auxiliary_logits, auxiliary_score, auxiliary_target

Named = Mapping[str, Tensor]


class Grades(nn.Module):
    """From K - 1 questions "more than k, being at least k?" to K grades.

    The conditional tasks of CORN (Shi et al. 2021), a continuation-ratio model: probabilities of
    "more than k" never rise with k. What comes out are log-probabilities, so that softmax, cross
    entropy and all that reads classes take grades as they are. At logits of 0 all grades are alike.
    """

    prior: Tensor  # (K - 1,) of logits

    def __init__(self, num_grades: int) -> None:
        super().__init__()
        rest = [log(num_grades - 1 - k) for k in range(num_grades - 1)]
        self.register_buffer("prior", torch.tensor(rest), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """Return `(N, K)` float32 log-probabilities of `(N, K - 1)` logits."""
        with torch.autocast(logits.device.type, enabled=False):
            further = logits.float() + self.prior
            reached = F.pad(F.logsigmoid(further).cumsum(1), (1, 0))  # at least k
            return reached + F.pad(F.logsigmoid(-further), (0, 1))  # and not more


class Scale(nn.Module):
    """Between numbers in the target's units and what a network learns well.

    Standardised by mean and standard deviation of the training samples; or, `bounded`, between
    their least and largest by a sigmoid. The numbers travel with the weights.
    """

    shift: Tensor  # (C,) mean or least
    width: Tensor  # (C,) standard deviation or range, 1 where all are alike

    def __init__(self, num_columns: int, bounded: bool = False) -> None:
        super().__init__()
        self.bounded = bounded
        self.register_buffer("shift", torch.zeros(num_columns))
        self.register_buffer("width", torch.ones(num_columns))

    def fit(self, values: Tensor) -> None:
        """Learn from `(N, C)` targets of the training samples; NaN is unknown."""
        values = values.detach().cpu().double()
        for place, column in enumerate(values.unbind(1)):
            known = column[~column.isnan()]
            if len(known):
                shift = known.min() if self.bounded else known.mean()
                width = known.max() - shift if self.bounded else known.std(correction=0)
                self.shift[place] = shift
                self.width[place] = width if width > 1e-12 * shift.abs() else 1.0

    def inside(self, values: Tensor) -> Tensor:
        """Return `(N, C)` values as the network learns them: standardised, or shares of 0..1."""
        scaled = (values - self.shift) / self.width
        return scaled.clamp(0, 1) if self.bounded else scaled

    def forward(self, logits: Tensor) -> Tensor:
        """Return `(..., C)` float32 in the target's units."""
        logits = logits.float()
        return (logits.sigmoid() if self.bounded else logits) * self.width + self.shift


class AuxiliaryHeads(nn.Module):
    """A linear head for each further column, on the same features."""

    def __init__(self, features: int, columns: Mapping[str, int]) -> None:
        super().__init__()
        self.columns = list(columns)
        self.heads = nn.ModuleList(nn.Linear(features, count) for count in columns.values())
        self.scales = nn.ModuleList(Scale(1) for _ in columns)  # used where K = 1

    def forward(self, embedding: Tensor) -> dict[str, Tensor]:
        """Return `(N, K)` logits by their keys."""
        pairs = zip(self.columns, self.heads, strict=True)
        return {auxiliary_logits(column): head(embedding) for column, head in pairs}

    def judge(
        self, outputs: Mapping[str, Tensor], batch: Mapping[str, Tensor]
    ) -> dict[str, Tensor]:
        """Return `(N,)` by column: 1 for the right class, else 0; how far a number is off.

        NaN where nothing is known. In the units of the column; by their `auxiliary_score` keys.
        """
        found = {}
        for column in self.columns:
            logits = outputs[auxiliary_logits(column)].float()
            target = batch[auxiliary_target(column)]
            if logits.shape[1] == 1:
                value, known = target.unbind(1)
                score, measure = (self.scale(column)(logits)[:, 0] - value).abs(), "mae"
            else:
                known, score = target.sum(1), (logits.argmax(1) == target.argmax(1)).float()
                measure = "accuracy"
            found[auxiliary_score(column, measure)] = score.where(known > 0, nan)
        return found

    def scale(self, column: str) -> Scale:
        """Return the scale of a column of numbers."""
        return self.scales[self.columns.index(column)]  # type: ignore[return-value]


def output_count(config: Config) -> int:
    """Return how many logits the last layer of a classifier gives."""
    return len(config.classes) - (config.target == "ordinal")


def make_grades(config: Config) -> Grades | None:
    """Return what makes grades of logits, where the target is ordinal."""
    return Grades(len(config.classes)) if config.target == "ordinal" else None


def make_scale(config: Config) -> Scale | None:
    """Return the scale of a regression's target."""
    if config.kind != "regression":
        return None
    return Scale(len(config.classes), bounded="binary_cross_entropy" in config.train.loss)


def make_auxiliary(features: int, config: Config) -> AuxiliaryHeads | None:
    """Return the heads that `model.auxiliary` asks for."""
    columns = config.model.auxiliary
    return AuxiliaryHeads(features, columns) if columns else None
