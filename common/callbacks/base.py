"""The base of the kit's callbacks."""

from typing import Any

from fastai.callback.core import Callback as FastaiCallback
from fastcore.basics import camel2snake


class Callback(FastaiCallback):
    """A fastai callback whose attributes cost nothing to set.

    fastai asks the learner and the model, at every assignment, whether a name is shadowed: some
    microseconds each, several times a step. State of the learner is reached through `self.learn`.
    """

    @property
    def name(self) -> str:
        """The learner's attribute that holds the callback, apart from the learner's own names."""
        return f"{camel2snake(type(self).__name__)}_callback"

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
