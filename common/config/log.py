"""The section `log`: what is watched and where it goes."""

from typing import Any, Literal

from pydantic import Field, field_validator

from common.config.values import Values


class LogConfig(Values):
    """What is watched and where it goes."""

    loggers: tuple[Literal["wandb", "tensorboard", "local"], ...] = (
        "wandb",
        "tensorboard",
        "local",
    )
    looks: Literal["all", "none"] | tuple[str, ...] = "all"  # names of callbacks/looks
    every: int = Field(10, ge=1)  # steps whose scalars are averaged into one point
    gradients_every: int = Field(50, ge=0)  # steps between looks at gradients; 0 = off
    k: int = Field(16, ge=1)  # samples shown in tables of samples
    rank_by: str = "loss"  # what makes a sample best or worst: loss, one of its terms, or for
    # segmentation iou, for detection score (training samples, unpredicted: the loss)
    cam_class: str = ""  # class whose activation maps are shown; empty: predicted and true one
    breakdown: tuple[str, ...] = ()  # columns of the frame; a score for each value, a*b crosses two
    strict: bool = False  # True: a failing logger stops the run; False: it is dropped, loudly

    @field_validator("loggers", "looks", "breakdown", mode="before")
    @classmethod
    def _split_words(cls, value: Any) -> Any:
        """Let the command line say log.loggers=local,wandb."""
        words = isinstance(value, str) and value not in ("all", "none")
        return [word for word in value.split(",") if word] if words else value
