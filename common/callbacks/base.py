"""The base of the kit's callbacks."""

from fastai.callback.core import Callback as FastaiCallback
from fastcore.basics import camel2snake


class Again(Exception):
    """Run the batch once more, from its start: it began with what a bad step left behind."""


class Callback(FastaiCallback):
    """A fastai callback whose attributes cost nothing to set.

    fastai asks the learner and the model, at every assignment, whether a name is shadowed: some
    microseconds each, several times a step. State of the learner is reached through `self.learn`.
    """

    @property
    def name(self) -> str:
        """The learner's attribute that holds the callback, apart from the learner's own names."""
        return f"{camel2snake(type(self).__name__)}_callback"

    __setattr__ = object.__setattr__
