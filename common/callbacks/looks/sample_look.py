"""What looks at single samples share: rows of tables, galleries, and predictions that are kept."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from common.callbacks.looks.box_view import BoxView
from common.callbacks.looks.mask_view import MaskView
from common.callbacks.looks.steps import Listener, StepLook
from common.callbacks.looks.value_view import ValueView
from common.callbacks.looks.views import ClassView, View
from common.config import Config
from common.evaluation import Evaluation
from common.figures.gallery import Section
from common.keys import IMAGE_ID, INDEX, LOSS
from common.loggers.base import Logger

VIEWS: dict[str, type[View]] = {
    "classification": ClassView,
    "regression": ValueView,
    "segmentation": MaskView,
    "detection": BoxView,
}
Row = dict[str, Any]  # of a table: `image` is a picture, the rest are words and numbers


class SampleLook(StepLook):
    """Shows samples, read again by index with the transforms that the model saw.

    While validating, sons may keep predictions that the evaluation will not hold.
    """

    def __init__(self, config: Config, logger: Logger) -> None:
        super().__init__(config, logger)
        self.view = VIEWS[config.kind](config)
        self.kept: dict[int, Any] = {}  # by index: predictions of O(k) samples
        self.validated: Any = None  # the model, or its running mean

    def listeners(self) -> list[Listener]:
        handlers = {"before_validate": self.begin, "after_loss": self._follow}
        listener = self.listener(self.order, handlers)
        listener.run_train, listener.run_valid = False, True
        return [listener]

    def begin(self) -> None:
        """Begin a validation."""
        self.kept, self.validated = {}, self.learn.model

    def follow(self, columns: Mapping[str, Any]) -> None:
        """See a batch of the validation: its columns, as the evaluation will have them."""

    def keep(self, index: np.ndarray, wanted: set[int]) -> None:
        """Keep the predictions of the wanted samples of this batch, forget all unwanted."""
        if not self.view.keeps:
            return
        self.kept = {key: value for key, value in self.kept.items() if key in wanted}
        for place, key in enumerate(index.tolist()):
            if key in wanted:
                self.kept[key] = self.view.keep(self.learn.pred, place)

    def lend(self) -> Any:
        return {"kept": self.kept}

    def take(self, parts: list[Any]) -> None:
        self.kept = {key: value for part in parts for key, value in part["kept"].items()}

    def valid_row(self, evaluation: Evaluation, row: int) -> Row:
        """Return a sample of the validation: picture, id, truth, prediction, how good, loss."""
        index = int(evaluation[INDEX][row])
        sample = self.learn.dls.valid.dataset[index]
        known = self.view.keeps
        prediction = self.kept.get(index) if known else self.view.prediction(evaluation, row)
        picture = self.view.picture(sample, prediction)
        return {"image": picture, **self.words(evaluation, row, sample)}

    def words(self, evaluation: Evaluation, row: int, sample: Mapping[str, Any]) -> Row:
        """Return what is said of a sample of the validation."""
        return {
            "image_id": evaluation[IMAGE_ID][row],
            "truth": self.view.truth(sample),
            **self.view.describe(evaluation, row),
            "loss": float(evaluation[LOSS][row]),
        }

    def _follow(self) -> None:
        gather = self.learn.evaluate_callback.gather
        count = len(self.learn.batch[INDEX])
        rows = slice(gather.rows - count, gather.rows)
        self.follow({name: column[rows] for name, column in gather.columns.items()})


def section_of(heading: str, rows: Sequence[Row]) -> Section:
    """Return rows as a section of a gallery."""
    return Section(heading, [row["image"] for row in rows], [title(row) for row in rows])


def title(row: Mapping[str, Any]) -> str:
    """Return the lines over a picture: id, truth -> prediction or a tick, how good, loss."""
    said = str(row["truth"])
    if "probability" in row and row["prediction"] == row["truth"]:
        said += " ✓"  # a class and itself are too long for a tile
    elif "prediction" in row:
        said += f" → {row['prediction']}"
    if "probability" in row:
        said += f" ({row['probability']:.2f})"
    known = {"image", "image_id", "why", "truth", "prediction", "probability", "loss"}
    others = [f"{name} {row[name]:.2f}" for name in row if name not in known]
    return " | ".join([row["image_id"], said, *others, f"loss {row['loss']:.2f}"])
