"""Finds the operation whose gradient is the first that is not finite."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from common.callbacks.anomaly.trace import is_finite


@dataclass(eq=False)
class BadNode:
    """An operation's backward that made what is not finite out of finite gradients."""

    node: Any
    gradients: list[Tensor]  # of its operands that are no parameters, not finite


def gradients_of(loss: Tensor, parameters: Sequence[Tensor]) -> list[Tensor | None]:
    """Return the gradients of a loss without storing them; the graph is kept."""
    return list(torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True))


def first_bad(loss: Tensor, parameters: Sequence[Tensor]) -> tuple[BadNode | None, list[int]]:
    """Run backward and return the first operation to blame, and the places of bad gradients."""
    found: list[BadNode] = []
    handles = [node.register_hook(partial(_check, found, node)) for node in nodes_below(loss)]
    try:
        gradients = gradients_of(loss, parameters)
    finally:
        for handle in handles:
            handle.remove()
    bad = [place for place, g in enumerate(gradients) if g is not None and not is_finite(g)]
    return (found[0] if found else None), bad


def nodes_below(loss: Tensor) -> Iterator[Any]:
    """Yield every node of the graph of a loss, but those that hold parameters."""
    waiting, seen = [loss.grad_fn], set()
    while waiting:
        node = waiting.pop()
        if node is None or node in seen or hasattr(node, "variable"):
            continue
        seen.add(node)
        yield node
        waiting += [above for above, _ in node.next_functions]


def _check(found: list[BadNode], node: Any, inner: Any, outer: Any) -> None:
    if found or not all(is_finite(g) for g in outer if g is not None):
        return
    bad = [g is not None and not is_finite(g) for g in inner]
    if any(bad):
        places = [above for above, _ in node.next_functions]
        free = [p is None or not hasattr(p, "variable") for p in places]
        chosen = [g for g, b, f in zip(inner, bad, free, strict=False) if b and f]
        found.append(BadNode(node, chosen))
