"""The section `predict`: how test images are predicted."""

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from common.config.values import Values


class MaskConfig(Values):
    """How probabilities of masks become foreground, and foreground becomes objects."""

    threshold: float | None = Field(None, gt=0, lt=1)  # of one class, from which on it is there;
    # None = as kit oof found best, else as each validation did
    min_area: int | None = Field(None, ge=0)  # pixels of the picture; smaller parts are left out;
    # None = as kit oof --parts found best, else 0
    instances: Literal["none", "components", "watershed"] = "none"  # one class: what is an object:
    # a part that hangs together, or what of it lies between its waists
    min_distance: int | None = Field(None, ge=1)  # pixels between the middles of two objects of a
    # watershed; None = as kit oof --parts found best, else 5


class PredictConfig(Values):
    """How test images are predicted, and what is given up where time runs out."""

    tta: Literal["none", "flip", "mirrors", "d4", "five_crop"] = "none"  # views of each image: 1,
    # 2, 4, 8 or, of classes, 5: centre and corners at the trained size of an image read larger
    weights: tuple[Annotated[float, Field(ge=0)], ...] = ()  # of the checkpoints, in their order;
    # empty: all alike. Of boxes: weights of their fusion
    blend: str = ""  # classes: file of kit blend that says how checkpoints are combined (rank,
    # geometric and power means, stacks); without a folder it lies beside the checkpoints
    fuse_iou: float = Field(0.55, gt=0, lt=1)  # above which boxes of one class are one
    fuse_least: float = Field(0.0, ge=0, lt=1)  # score below which a box takes no part in fusion
    grade_cuts: tuple[float, ...] = ()  # where the expected grade is cut (target=ordinal); empty:
    # where kit oof found best for each checkpoint
    thresholds: tuple[float, ...] = ()  # multilabel: from which on a label is there, for all or for
    # each class; empty: where kit oof found best
    confidence: float | None = Field(None, ge=0, le=1)  # from which on a box is kept; None: what
    # the trainings found
    scales: tuple[Annotated[float, Field(gt=0)], ...] = Field((1.0,), min_length=1)
    amp: Literal["trained", "none", "bf16", "fp16"] = "trained"  # autocast; trained: on a GPU what
    # train.amp says, on a CPU none, for it gains nothing there
    masks: MaskConfig = MaskConfig()  # of segmentation
    time_limit: float = Field(0, ge=0)  # hours from the start of the process; 0 = none
    fallback: tuple[Literal["tta", "models"], ...] = ("tta", "models")  # given up first to last,
    # for the images that remain, when the estimate exceeds the limit

    @field_validator("scales", "weights", "grade_cuts", "thresholds", "fallback", mode="before")
    @classmethod
    def _split_words(cls, value: Any) -> Any:
        """Let the command line say predict.scales=1,1.25 or predict.scales=1.25."""
        words = value.split(",") if isinstance(value, str) else value
        return [words] if isinstance(words, int | float) else words
