"""The base of the kit's callbacks."""

from typing import Any

from fastai.callback.core import Callback as FastaiCallback


class Callback(FastaiCallback):
    """A fastai callback whose attributes cost nothing to set.

    fastai asks the learner and the model, at every assignment, whether a name is shadowed: some
    microseconds each, several times a step. State of the learner is reached through `self.learn`.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)
