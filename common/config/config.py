"""The whole config of a run: its own fields, its sections, and what must fit together."""

import json
from pathlib import Path
from typing import Literal, Self

from pydantic import model_validator

from common.config.data import DataConfig
from common.config.kernel import KernelConfig
from common.config.log import LogConfig
from common.config.model import ModelConfig
from common.config.predict import PredictConfig
from common.config.train import TrainConfig
from common.config.values import Values, validate
from common.errors import KitError
from common.keys import LABEL


class Config(Values):
    """A whole run. A competition's `config.py` makes one and derives its experiments from it."""

    competition: str  # folder under competitions/
    task: Literal["classification", "segmentation", "detection"] = "classification"
    slug: str = ""  # Kaggle's name of it
    classes: tuple[str, ...]  # in the order of the model's outputs; segmentation: one, or
    # several of which the first is the background; regression: the columns to predict
    multilabel: bool = False  # True: any number of classes per image; False: exactly one
    target: Literal["classes", "ordinal", "regression"] = "classes"  # classification: of an image;
    # ordinal: grades in ascending order, regression: a real number for each of `classes`
    metric: str  # the competition's metric: picks the best checkpoint
    watch: tuple[str, ...] = ()  # further metrics; each keeps its own best checkpoint
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    log: LogConfig = LogConfig()
    predict: PredictConfig = PredictConfig()
    kernel: KernelConfig = KernelConfig()

    @classmethod
    def read(cls, path: Path) -> "Config":
        """Return the config that a run folder or a checkpoint keeps as json."""
        try:
            return validate(cls, json.loads(path.read_text()))
        except (OSError, json.JSONDecodeError) as error:
            raise KitError(
                f"expected a run's config in '{path}', got: {error}; delete its folder, or put a "
                "copy back"
            ) from None

    @property
    def kind(self) -> str:
        """What is predicted: the task, of which regression counts as one of its own."""
        return self.target if self.target == "regression" else self.task

    @property
    def target_columns(self) -> str | list[str]:
        """The columns of a classification's frame that hold the target: one, or one a class."""
        alone = not self.multilabel and self.target != "regression"
        return LABEL if alone else list(self.classes)

    @model_validator(mode="after")
    def _check_target(self) -> Self:
        if self.target != "classes" and (self.multilabel or self.task != "classification"):
            got = "multilabel=true" if self.multilabel else f"task={self.task}"
            raise KitError(
                f"expected target=classes with {got}, got target={self.target}; an image has "
                "classes, a grade or numbers: take one of the two out"
            )
        if self.target == "ordinal" and len(self.classes) < 2:
            raise KitError(
                f"expected two grades or more in classes with target=ordinal, got "
                f"{list(self.classes)}; name them in ascending order"
            )
        return self
