"""Does every layer learn?"""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from common.callbacks.half_precision import HalfPrecision
from common.callbacks.looks.layers import (
    Layers,
    few,
    gradient_statistics,
    layer_of,
    merge_tensors,
    update_statistics,
)
from common.callbacks.looks.steps import Listener, StepLook
from common.callbacks.looks.verdict import EVERY_LAYER, Verdict, announce, judge
from common.evaluation import Evaluation
from common.figures.gradients import gradient_figure, thin_columns

COLUMNS = 400  # looks that the history keeps


class Gradients(StepLook):
    """Gradient and update of every layer, every `log.gradients_every` steps, and what ails it.

    Gradients are those that the optimiser would get without clipping: summed over accumulated
    batches, loss scale taken out. They stay on the device until the epoch ends. Short epochs are
    looked at twice.
    """

    before_clipping = HalfPrecision.order + 0.5  # unscaled there, not yet clipped

    def listeners(self) -> list[Listener]:
        named = dict(self.learn.model.named_parameters())
        self.names, self.parameters = list(named), list(named.values())
        self.first: list[Tensor] | None = None  # some weights as they were before a sampled step
        self.looks: list[Tensor] = []  # (8, P) on the device, of this epoch
        self.steps: list[int] = []
        self.past: tuple[np.ndarray, list[int]] | None = None  # (L, E) norms and their steps
        self.known: dict[str, Verdict] = {}
        handlers = {
            "before_train": self._begin_epoch,
            "before_step": self._look_at_gradients,
            "after_step": self._look_at_update,
        }
        every = self.config.log.gradients_every
        return [self.listener(self.before_clipping, handlers)] if every else []

    def look(self, evaluation: Evaluation) -> None:
        """Read the device once; log a heat map, a table and two scalars; say what is new."""
        if not getattr(self, "looks", None):
            return
        values = torch.stack(self.looks).double().cpu().numpy()
        layers = merge_tensors(self.names, [p.numel() for p in self.parameters], values[:, :7])
        norm = layers.values["norm"]
        past, steps = self.past or (np.empty((len(norm), 0)), [])
        verdicts = self._judge(layers, values[:, 7, 0], past)
        for line in announce(verdicts, self.known):
            print(line, flush=True)
        self.known |= verdicts
        self.past = thin_columns(np.hstack([past, norm]), [*steps, *self.steps], COLUMNS)
        self._log(layers, verdicts)

    def _log(self, layers: Layers, verdicts: dict[str, Verdict]) -> None:
        assert self.past is not None
        words = {name: verdict.word for name, verdict in verdicts.items()}
        figure = gradient_figure(self.past[0], layers.names, self.past[1], words)
        self.logger.figure("train/gradients", figure, **self.moment)
        self.logger.table("train/gradient_layers", rows(layers, verdicts), **self.moment)
        total = np.sqrt(np.nansum(layers.values["norm"] ** 2, axis=0))
        scalars = {
            "train/gradient_norm": float(np.median(total)),
            "train/update_ratio": float(np.nanmedian(_trained(layers))),
            "train/ill_layers": len(verdicts),
        }
        self.logger.scalars(scalars, **self.moment)

    def _judge(self, layers: Layers, losses: np.ndarray, past: np.ndarray) -> dict[str, Verdict]:
        still = self._still()
        found = judge(layers, losses, past)
        return {name: verdict for name, verdict in found.items() if name not in still} | still

    def _still(self) -> dict[str, Verdict]:
        """Return the layers that do not train, other than by freezing a whole group."""
        groups = self.learn.opt.param_lists
        frozen = getattr(self.learn.opt, "frozen_idx", 0)
        meant = {id(p) for part in groups[:frozen] for p in part}
        for part in groups:
            if not any(p.requires_grad for p in part):
                meant |= {id(p) for p in part}
        optimised = {id(p) for part in groups for p in part}
        gradients = ~torch.stack(self.looks)[:, 3].isnan().all(0).cpu().numpy()
        found: dict[str, Verdict] = {}
        for name, parameter, learns in zip(self.names, self.parameters, gradients, strict=True):
            if id(parameter) in meant or not name.endswith(".weight"):
                continue  # a lone tensor, such as a fixed position code, may be still by design
            if not parameter.requires_grad:
                found[layer_of(name)] = Verdict("frozen", "requires_grad is off, its group trains")
            elif id(parameter) not in optimised:
                found[layer_of(name)] = Verdict("frozen", "not in the optimiser")
            elif not learns:
                found[layer_of(name)] = Verdict("unused", "the loss does not depend on it")
        return found

    def _begin_epoch(self) -> None:
        self.looks, self.steps, self.first = [], [], None
        self.every = min(self.config.log.gradients_every, max(len(self.learn.dl) // 2, 1))
        self.due = self.every

    def _look_at_gradients(self) -> None:
        learn = self.learn
        if learn.iter + 1 < self.due:
            return
        self.due = learn.iter + 1 + self.every
        if learn.train_iter:  # layers that begin at zero hide others from the very first step
            self.found = gradient_statistics([p.grad for p in self.parameters])
            self.first = few(self.parameters)

    def _look_at_update(self) -> None:
        if self.first is None:
            return
        update = update_statistics(self.first, few(self.parameters))
        loss = self.learn.loss.detach().float().expand(1, len(self.names)).to(update.device)
        self.looks.append(torch.cat([self.found.to(update.device), update, loss]))
        self.steps.append(self.learn.train_iter + 1)
        self.first = None


def rows(layers: Layers, verdicts: dict[str, Verdict]) -> list[dict[str, Any]]:
    """Return a row per layer, over the looks of an epoch, ill layers first."""
    table = []
    for place, name in enumerate(layers.names):
        ill = verdicts.get(name, verdicts.get(EVERY_LAYER))
        seen = ~np.isnan(layers.values["norm"][place])
        word = ill.word if ill else "" if seen.any() else "not trained"
        row = {"layer": name, "verdict": word, "weights": int(layers.sizes[place])}
        if seen.any():
            value = {key: column[place][seen] for key, column in layers.values.items()}
            row |= {
                "norm": float(value["norm"].mean()),
                "min": float(value["low"].min()),
                "mean": float(value["mean"].mean()),
                "max": float(value["high"].max()),
                "zero share": float(value["zeros"].mean()),
                "update / weight": float(layers.ratio[place][seen].mean()),
            }
        table.append(row)
    return sorted(table, key=lambda row: row["layer"] not in verdicts)


def _trained(layers: Layers) -> np.ndarray:
    return np.where(np.isnan(layers.values["norm"]), np.nan, layers.ratio)
