"""Follows every operation of a forward pass and remembers who made what is not finite."""

import linecache
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode, resolve_name

TORCH = str(Path(torch.__file__).parent)
HERE = str(Path(__file__).parent)
OPERATORS = {"truediv": "div", "rtruediv": "div", "rdiv": "div", "rsub": "sub", "rpow": "pow"}


class Frame(NamedTuple):
    """A line of source."""

    file: str
    line: int
    code: str


@dataclass(eq=False)
class Call:
    """An operation: what, in which module or term of the loss, on which line."""

    operation: str
    place: str
    frame: Frame


@dataclass(eq=False)
class Made:
    """A tensor that is not finite, who made it, and from which operands that were not finite."""

    call: Call
    value: Tensor
    parents: list[Tensor]
    meant: bool = False  # it was told to be infinite, as masks of attention are


class Tracer(TorchFunctionMode):
    """While active, sees each call of torch above autograd, also of operators and methods."""

    def __init__(self) -> None:
        super().__init__()
        self.places: list[str] = []
        self.made: dict[int, Made] = {}  # by id of a tensor, which `kept` keeps alive
        self.kept: list[Tensor] = []
        self.nodes: dict[Any, Call] = {}  # autograd's node -> the call that left it

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operation and look at what went in and what came out."""
        kwargs = kwargs or {}
        if getattr(func, "__name__", "") in ("__get__", "__set__", "requires_grad_", "backward"):
            return func(*args, **kwargs)
        parents = [t for t in tensors((args, kwargs)) if not is_finite(t)]
        result = func(*args, **kwargs)
        call = Call(operation_name(func), self.place, frame_of_caller())
        meant = any(not isfinite(n) for n in (*args, *kwargs.values()) if isinstance(n, float))
        for tensor in tensors(result):
            self._tag(tensor, call)
            self._note(tensor, call, parents, meant)
        return result

    @property
    def place(self) -> str:
        """The innermost module or term that is running."""
        return self.places[-1] if self.places else "loss"

    def root(self, tensor: Tensor) -> tuple[Made | None, Tensor]:
        """Follow what is not finite to where it began.

        Returns:
            The first call that made it, and the operand that it had from outside; where it made
            it of finite operands, its own result.
        """
        made, value = self.made.get(id(tensor)), tensor
        seen: set[int] = set()
        while made is not None and id(made) not in seen:
            seen.add(id(made))
            value = made.value
            parents = sorted(made.parents, key=lambda parent: not has_nan(parent))
            if not parents:
                break
            above = self.made.get(id(parents[0]))
            if above is None or above is made:
                return made, parents[0]
            if above.meant and has_nan(value) and not has_nan(above.value):
                break
            made = above
        return made, value

    @contextmanager
    def inside(self, model: nn.Module) -> Iterator[None]:
        """Know which module of the model is running."""
        handles = []
        for name, module in model.named_modules():
            place = name or type(model).__name__
            handles.append(module.register_forward_pre_hook(lambda *_, p=place: self._enter(p)))
            handles.append(module.register_forward_hook(self._leave))
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    @contextmanager
    def at(self, place: str) -> Iterator[None]:
        """Name the place of what runs inside."""
        self.places.append(place)
        yield
        self.places.pop()

    def _enter(self, place: str) -> None:
        self.places.append(place)

    def _leave(self, module: nn.Module, inputs: Any, outputs: Any) -> None:
        """Also catch what compiled code made, which no call above showed."""
        with torch._C.DisableTorchFunction():
            code = getattr(type(module).forward, "__code__", None)
            file, line = (code.co_filename, code.co_firstlineno) if code else ("", 0)
            frame = Frame(file, line, linecache.getline(file, line).strip())
            call = Call(f"forward of {type(module).__name__}", self.place, frame)
            parents = [t for t in tensors(inputs) if not is_finite(t)]
            for tensor in tensors(outputs):
                if id(tensor) not in self.made:
                    self._note(tensor, call, parents)
                self._tag(tensor, call)
        self.places.pop()

    def _note(self, tensor: Tensor, call: Call, parents: list[Tensor], meant: bool = False) -> None:
        # What an operation hands on, or changes in place, was broken before it.
        if not is_finite(tensor) and not any(tensor is parent for parent in parents):
            self.made[id(tensor)] = Made(call, tensor, parents, meant)
            self.kept.append(tensor)

    def _tag(self, tensor: Tensor, call: Call) -> None:
        waiting = [tensor.grad_fn]
        while waiting:
            node = waiting.pop()
            if node is not None and node not in self.nodes:
                self.nodes[node] = call
                waiting += [above for above, _ in node.next_functions]


def tensors(value: Any) -> Iterator[Tensor]:
    """Yield the tensors in nested tuples, lists and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors(part)
    elif isinstance(value, dict):
        yield from tensors(list(value.values()))


def is_finite(tensor: Tensor) -> bool:
    """Tell whether no value is NaN or infinite; integers never are."""
    if not (tensor.is_floating_point() or tensor.is_complex()):
        return True
    return bool(torch.isfinite(tensor.detach()).all())


def has_nan(tensor: Tensor) -> bool:
    """Tell whether a value is NaN."""
    return bool(torch.isnan(tensor.detach()).any())


def operation_name(func: Any) -> str:
    """Return a short name, such as `log`, `div` or `conv2d`."""
    name = resolve_name(func) or getattr(func, "__name__", str(func))
    short = name.rpartition(".")[2].strip("_")
    return OPERATORS.get(short, short)


def frame_of_caller() -> Frame:
    """Return the innermost line that is neither torch's nor ours."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith((TORCH, HERE, "<")):
            line = frame.f_lineno
            return Frame(file, line, linecache.getline(file, line).strip())
        frame = frame.f_back  # type: ignore[assignment]
    return Frame("", 0, "")
