"""Runs one batch again, exactly as it was, and finds out where it stops being finite."""

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from common.callbacks.anomaly.backward import first_bad, gradients_of
from common.callbacks.anomaly.finding import Finding
from common.callbacks.anomaly.moment import Buffers, Moment
from common.callbacks.anomaly.samples import narrow
from common.callbacks.anomaly.trace import Call, Frame, Made, Tracer, has_nan, is_finite, tensors
from common.callbacks.half_precision import HalfPrecision
from common.losses.terms import Loss, LossTerm
from common.models.compiled import eagerly

Values = dict[str, Tensor]  # per term, (N,)


class Replay:
    """Replays batches of a learner; leaves gradients and weights alone.

    The caller puts random states and buffers back afterwards.
    """

    def __init__(self, learn: Any, buffers: Buffers) -> None:
        self.learn, self.buffers = learn, buffers
        named = {name: p for name, p in learn.model.named_parameters() if p.requires_grad}
        self.names, self.parameters = list(named), list(named.values())
        self.autocasts = [cb.autocast for cb in learn.cbs if isinstance(cb, HalfPrecision)]

    def find(self, moment: Moment) -> Finding | None:
        """Return where the batch stops being finite, None if it is finite all through."""
        tracer = Tracer()
        with anomaly_detection():
            loss, values = self._run(moment, moment.batch, tracer)
            trace = self._backward if is_finite(loss) else self._forward
            found = trace(moment, loss, values, tracer)
        if found is not None:
            found.losses = {name: value.tolist() for name, value in values.items()}
        return found

    def _run(
        self, moment: Moment, batch: dict[str, Any], tracer: Tracer | None = None
    ) -> tuple[Tensor, Values]:
        """Return the loss and its terms per sample, in the state that the batch began with."""
        moment.started.put_back()
        self.buffers.put_back(moment.buffers)
        learn, values = self.learn, Values()
        inside = tracer.inside(learn.model) if tracer else nullcontext()
        autocast = self.autocasts[0] if self.autocasts else nullcontext()
        with tracer or nullcontext(), inside, torch.enable_grad(), autocast, eagerly():
            outputs = learn.model(batch)
            with watched(learn.loss_func, values, tracer):
                loss = learn.loss_func(outputs, batch)
        return loss, values

    def _forward(self, moment: Moment, loss: Tensor, values: Values, tracer: Tracer) -> Finding:
        made, origin = tracer.root(loss)
        call = made.call if made else Call("unknown", "loss", Frame("", 0, ""))
        terms = [name for name, value in values.items() if not is_finite(value)]
        early = [origin, *([made.value] if made else []), *(values[name] for name in terms)]
        rows = self._rows(moment, early)
        source, sick = self._source(origin, made, moment.batch)
        rows = [sick] if sick is not None else rows
        weighted = [t.name for t in self.learn.loss_func.terms if not _plain(t.weight)]
        kind = kind_of(made.value if made else loss)
        found = Finding(kind, "forward", call.operation, call.place, call.frame, terms or weighted)
        found.source, found.rows = source, rows
        found.facts = self._facts(call.place)
        return found

    def _backward(
        self, moment: Moment, loss: Tensor, values: Values, tracer: Tracer
    ) -> Finding | None:
        node, bad = first_bad(loss, self.parameters)
        if not bad:
            return None
        names = [self.names[place] for place in bad]
        call = self._call_of(node.node if node else None, names[-1], tracer)
        early = node.gradients if node else []
        kind = kind_of(early[0]) if early else "not finite"
        found = Finding(kind, "backward", call.operation, call.place, call.frame, [])
        found.terms = self._terms_of_gradient(call, values)
        found.parameters, found.facts = names, self._facts(call.place)
        found.rows = self._rows(moment, early)
        return found

    def _call_of(self, node: Any, parameter: str, tracer: Tracer) -> Call:
        if node is None:  # finite gradients whose sum is not
            layer = parameter.rpartition(".")[0]
            return Call("sum of gradients", layer, Frame("", 0, ""))
        call = tracer.nodes.get(node)
        if call is None or not call.frame.file:
            told = "".join(node.metadata.get("traceback_", [])[-1:]).strip()
            name = node.name().removesuffix("0").removesuffix("Backward").lower()
            return Call(name, call.place if call else "unknown", Frame("", 0, told))
        return call

    def _terms_of_gradient(self, call: Call, values: Values) -> list[str]:
        """Return the terms whose own gradient is not finite."""
        own = [name for name in values if call.place == term_place(name)]
        if own or len(values) == 1:
            return own or list(values)
        return [
            name
            for name, value in values.items()
            if value.requires_grad
            and not all(
                is_finite(g) for g in gradients_of(value.mean(), self.parameters) if g is not None
            )
        ]

    def _rows(self, moment: Moment, early: Sequence[Tensor]) -> list[int]:
        broken = [value for value in tensors(list(moment.raw.values())) if not is_finite(value)]
        return narrow(moment.batch, [*broken, *early], lambda batch: self._is_bad(moment, batch))

    def _is_bad(self, moment: Moment, batch: dict[str, Any]) -> bool:
        loss, _ = self._run(moment, batch)
        if not is_finite(loss):
            return True
        found = gradients_of(loss, self.parameters) if loss.requires_grad else []
        return not all(is_finite(g) for g in found if g is not None)

    def _source(
        self, origin: Tensor, made: Made | None, batch: Mapping[str, Any]
    ) -> tuple[str, int | None]:
        """Return the name of what came in broken, and its row if it belongs to one sample."""
        if made is None or origin is made.value:
            return "", None
        for name, value in batch.items():
            if value is origin:
                return f"'{name}' of the batch", None
            if isinstance(value, list):
                for row, part in enumerate(value):
                    if part is origin:
                        return f"'{name}' of the batch", row
        named = [*self.learn.model.named_parameters(), *self.learn.model.named_buffers()]
        for name, value in named:
            if value is origin:
                return f"weight '{name}'", None
        return f"an operand of shape {tuple(origin.shape)} that was not finite before", None

    def _facts(self, place: str) -> list[str]:
        """Return the size of the weights there, and the learning rate: has it exploded?"""
        module = dict(self.learn.model.named_modules()).get(place)
        own = list(module.parameters(recurse=False)) if isinstance(module, nn.Module) else []
        if not own:
            return []
        largest = max(float(p.detach().abs().max()) for p in own if p.numel())
        rate = max(group["lr"] for group in self.learn.opt.opt.param_groups)
        return [f"largest weight there: {largest:.3g}; learning rate: {rate:.3g}"]


@contextmanager
def anomaly_detection() -> Iterator[None]:
    """Let autograd keep the lines of all operations; we look for NaN and infinity ourselves."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with torch.autograd.set_detect_anomaly(True, check_nan=False):
            yield


@contextmanager
def watched(loss: Loss, values: Values, tracer: Tracer | None) -> Iterator[None]:
    """Name each term while it runs and keep its `(N,)` values; the loss is put back afterwards."""
    terms, samples = loss.terms, loss.samples
    loss.terms = [replace(term, function=_watch(term, values, tracer)) for term in terms]
    try:
        yield
    finally:
        loss.terms, loss.samples = terms, samples


def term_place(name: str) -> str:
    """Return how a term of the loss is called in a report."""
    return f"loss term '{name}'"


def kind_of(value: Tensor) -> str:
    """Return NaN or infinite."""
    return "NaN" if has_nan(value) else "infinite"


def _watch(term: LossTerm, values: Values, tracer: Tracer | None) -> Callable[[Any, Any], Tensor]:
    def function(output: Any, target: Any) -> Tensor:
        with tracer.at(term_place(term.name)) if tracer else nullcontext():
            values[term.name] = term.function(output, target)
        return values[term.name]

    return function


def _plain(weight: float) -> bool:
    return weight - weight == 0
