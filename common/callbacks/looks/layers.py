"""Numbers of every layer's gradient and update, taken on the device and read from it later."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

STATISTICS = ("low", "mean", "high", "norm", "zeros", "update", "weight")
FEW = 16384  # weights of a tensor that tell the size of its update


def layer_of(name: str) -> str:
    """Return the layer that a parameter tensor is shown in: its module, or itself if unusual."""
    name = name.removeprefix("_orig_mod.")
    module, _, kind = name.rpartition(".")
    return module if kind in ("weight", "bias") and module else name


def gradient_statistics(gradients: Sequence[Tensor | None]) -> Tensor:
    """Return `(5, P)` minimum, mean, maximum, L2 norm and share of zeros of P gradients.

    Stays on the device, nothing waits for it. NaN where there is no gradient; a norm that is not
    finite is infinite.
    """
    known = [gradient for gradient in gradients if gradient is not None]
    if not known:
        return torch.full((5, len(gradients)), torch.nan)
    ends = [gradient.aminmax() for gradient in known]
    columns = torch.stack(
        [
            torch.stack([end.min for end in ends]),
            torch.stack([gradient.mean() for gradient in known]),
            torch.stack([end.max for end in ends]),
            torch.stack(torch._foreach_norm(known)).nan_to_num(torch.inf, torch.inf),
            1 - torch.stack([g.count_nonzero() for g in known]) / _sizes(known),
        ]
    )
    places = [place for place, gradient in enumerate(gradients) if gradient is not None]
    found = columns.new_full((5, len(gradients)), torch.nan)
    found[:, places] = columns
    return found


def few(parameters: Sequence[nn.Parameter]) -> list[Tensor]:
    """Return copies of at most 16384 evenly spread weights of each tensor.

    Their change stands for the whole tensor's: a copy of all weights would cost their memory.
    """
    return [p.detach().flatten()[:: -(-p.numel() // FEW)].clone() for p in parameters]


def update_statistics(before: Sequence[Tensor], after: Sequence[Tensor]) -> Tensor:
    """Return `(2, P)` root mean squares of the change and of the weights before it."""
    roots = _sizes(before).sqrt()
    changes = torch._foreach_sub(list(after), list(before))
    norms = [torch.stack(torch._foreach_norm(list(values))) for values in (changes, before)]
    return torch.stack(norms) / roots


@dataclass(frozen=True)
class Layers:
    """Statistics of L layers over T looks; NaN where a layer had no gradient.

    `values` has an `(L, T)` array for each of low, mean, high, norm, zeros, update, weight; update
    and weight are norms, `ratio` is their quotient. `zeros` is that of the layer's largest tensor,
    for a bias may live on where the weight is dead.
    """

    names: list[str]
    sizes: np.ndarray  # (L,) number of weights
    values: Mapping[str, np.ndarray]

    @property
    def ratio(self) -> np.ndarray:
        """`(L, T)` size of a step's update relative to the weights."""
        weight = np.maximum(self.values["weight"], np.finfo(np.float32).tiny)
        return self.values["update"] / weight


def merge_tensors(names: Sequence[str], sizes: Sequence[int], looks: np.ndarray) -> Layers:
    """Join the `(T, 7, P)` statistics of P parameter tensors to those of their layers."""
    layers: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        layers.setdefault(layer_of(name), []).append(place)
    count = np.asarray(sizes, float)
    columns: dict[str, list[np.ndarray]] = {name: [] for name in STATISTICS}
    for members in layers.values():
        low, mean, high, norm, zeros, update, weight = looks[:, :, members].transpose(1, 2, 0)
        known = np.where(np.isnan(norm), 0.0, count[members][:, None])
        whole = count[members][:, None]
        columns["low"].append(_least(low))
        columns["mean"].append(_per(np.nansum(mean * known, 0), known.sum(0)))
        columns["high"].append(-_least(-high))
        columns["norm"].append(np.where(known.sum(0) > 0, np.sqrt(np.nansum(norm**2, 0)), np.nan))
        columns["zeros"].append(zeros[np.argmax(count[members])])
        columns["update"].append(np.sqrt((update**2 * whole).sum(0)))
        columns["weight"].append(np.sqrt((weight**2 * whole).sum(0)))
    totals = np.array([count[members].sum() for members in layers.values()])
    return Layers(list(layers), totals, {name: np.stack(c) for name, c in columns.items()})


def _sizes(tensors: Sequence[Tensor]) -> Tensor:
    sizes = torch.tensor([tensor.numel() for tensor in tensors], dtype=torch.float32)
    return sizes.to(tensors[0].device, non_blocking=True)


def _least(values: np.ndarray) -> np.ndarray:
    known = np.where(np.isnan(values), np.inf, values).min(0)
    return np.where(known == np.inf, np.nan, known)


def _per(total: np.ndarray, count: np.ndarray) -> np.ndarray:
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)
