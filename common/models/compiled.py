"""torch.compile for a training: the same weights under the same names, in faster steps."""

import warnings
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn

from common.models.detector import Detector

BACKEND = "inductor"


def compile_model(model: nn.Module, device: torch.device) -> bool:
    """Let the first call of each shape of batch compile the network; return whether it will.

    In place: names in the state dict stay as they are, and a deep copy, such as the running mean of
    the weights, is not compiled. Each shape has code of its own (`dynamic=False`), so that a run
    that goes on meets the code that an uninterrupted one does.

    Where this machine cannot compile, as without a C++ compiler, one warning says so.
    """
    if problem := what_is_missing(device):
        warnings.warn(
            f"expected model.compile to find a compiler, got: {problem}; training goes on without "
            "it, somewhat slower; install g++, or set model.compile=false",
            stacklevel=2,
        )
        return False
    # What a detector does behind its backbone depends on the boxes of each batch.
    part: Any = model.network.backbone if isinstance(model, Detector) else model
    part.compile(backend=BACKEND, dynamic=False)
    return True


def what_is_missing(device: torch.device) -> str:
    """Return why nothing can be compiled here, after a trial; empty if it can."""
    try:
        trial = torch.compile(lambda value: value.sin() + 1, backend=BACKEND)
        trial(torch.ones(8, device=device))
    except Exception as error:  # each backend has its own kinds
        cause = getattr(error, "inner_exception", error)
        return " ".join(str(cause).split())[:200] or type(cause).__name__
    return ""


def eagerly() -> AbstractContextManager[Any]:
    """Within, compiled networks run as they are written: hooks see what they ask for."""
    return torch.compiler.set_stance("force_eager")
