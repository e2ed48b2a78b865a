"""Validate and save an average of the weights, whatever the rule that makes it."""

from typing import Any

from common.callbacks.base import Callback


class Average(Callback):
    """Keeps an average of the model in `average.module` and swaps it in while validating.

    Sons say how it is made and moved, see `common.callbacks.ema` and `common.callbacks.swa`.
    """

    order = 15

    def __init__(self) -> None:
        self.average: Any = None  # once fitting; its `module` is a copy of the model
        self.raw: Any = None  # the model that is trained, while the average validates

    @property
    def has_begun(self) -> bool:
        """Whether the average is of anything yet."""
        return self.average is not None

    def make(self) -> Any:
        """Return the average of a fit that begins."""
        raise TypeError(f"{type(self).__name__} does not say how it averages")

    def before_fit(self) -> None:
        self.after_validate()  # of a fit that broke while validating
        self.average = self.make()

    def before_validate(self) -> None:
        if self.has_begun:
            self.raw, self.learn.model = self.learn.model, self.average.module.eval()

    def after_validate(self) -> None:
        if self.raw is not None:
            self.learn.model, self.raw = self.raw, None

    after_cancel_fit = after_validate

    def weights(self) -> dict[str, Any]:
        """Return the weights that validate: the averaged ones as soon as there are any."""
        if self.has_begun:
            return self.average.module.state_dict()
        return (self.raw or self.learn.model).state_dict()
