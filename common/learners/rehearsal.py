"""A competition's own training up to the point where it would begin.

`train.py` tells the story of a training, and a forker changes it. What is checked before a long run
must be what that story makes, so it is told as ever, and only its last sentence is another.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Instead = Callable[[Any], None]  # called with the learner
_instead: ContextVar[Instead | None] = ContextVar("instead", default=None)


@contextmanager
def instead_of_training(function: Instead) -> Iterator[None]:
    """Within, `train_run` hands its learner to the function and trains nothing."""
    token = _instead.set(function)
    try:
        yield
    finally:
        _instead.reset(token)


def rehearse(learner: Any) -> bool:
    """Hand over the learner if this is no real training; say whether it was."""
    function = _instead.get()
    if function is None:
        return False
    function(learner)
    return True
