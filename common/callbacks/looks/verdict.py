"""Which layers are ill, and by which sign: thresholds far from what healthy networks show.

Over 13 healthy architectures (residual, transformer, with and without layer scale, trained from
scratch) no layer's gradient was below 3e-4 of the median layer's; above 6 times its weights was
but one, the first layer of an EfficientNet, with 50.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.callbacks.looks.layers import Layers

DEAD = 0.99  # share of a weight's gradient that is exactly zero, at every look
VANISHING = 1e-5  # of the median layer's norm; for the whole network: of the loss
EXPLODING = 1000.0  # times the norm of the layer's own weights
GROWTH = 100.0  # times the largest norm of earlier epochs
HEAVY = 10.0  # root mean square of a layer's weights
LIGHT = 1e-3  # weights that begin at zero (layer scale) have no size to compare with yet
STILL = 1e-10  # total norm below which the loss is zero and nothing is left to learn
EVERY_LAYER = "every layer"
REMEDIES = {
    "dead": "look at the activation and the bias before and after it; a lower train.lr avoids it",
    "vanishing": "look at its scale, its norm layer and its initialisation",
    "exploding": "lower train.lr or set train.clip_norm; look at its scale",
    "frozen": "set requires_grad, or freeze the whole body by train.freeze_epochs",
    "unused": "remove it, or add its output to the loss",
}


@dataclass(frozen=True)
class Verdict:
    """What ails a layer: dead, vanishing, exploding, frozen or unused, and how one can tell."""

    word: str
    reason: str


BURST = Verdict("exploding", f"norm above {GROWTH:g} times all earlier ones")
FAINT = Verdict("vanishing", f"norm below {VANISHING:g} of the median layer's")


def judge(layers: Layers, losses: np.ndarray, earlier: np.ndarray) -> dict[str, Verdict]:
    """Return the ill ones among layers that are meant to train.

    Args:
        layers: L layers over T looks.
        losses: `(T,)` training loss at each look.
        earlier: `(L, E)` norms at the looks of earlier epochs.
    """
    live = np.nansum(layers.values["norm"] ** 2, axis=0) > STILL**2
    if live.sum() < 2:  # one look tells no state from an accident
        return {}
    norm, zeros, weight = (layers.values[name][:, live] for name in ("norm", "zeros", "weight"))
    size = weight / np.sqrt(layers.sizes)[:, None]
    relative, bursts = _relative(norm), _bursts(norm, earlier)
    found: dict[str, Verdict] = {}
    total = np.sqrt(np.nansum(norm**2, axis=0))
    if (total < VANISHING * losses[live]).all():
        found[EVERY_LAYER] = Verdict("vanishing", f"total norm below {VANISHING:g} of the loss")
    for place, name in enumerate(layers.names):
        seen = ~np.isnan(norm[place])
        if seen.sum() < 2:
            continue
        verdict = (
            _certain(norm[place][seen], zeros[place][seen])
            or _exploding(norm[place][seen], weight[place][seen], size[place][seen])
            or (BURST if bursts[place] else None)
            or (FAINT if relative[place][seen].max() < VANISHING else None)
        )
        if verdict:
            found[name] = verdict
    return found


def announce(verdicts: dict[str, Verdict], known: dict[str, Verdict]) -> list[str]:
    """Return a line for each kind of verdict that is new, naming at most four layers."""
    new: dict[Verdict, list[str]] = {}
    for layer, verdict in verdicts.items():
        if layer not in known or known[layer].word != verdict.word:
            new.setdefault(verdict, []).append(layer)
    return [
        f"gradients: {verdict.word}: {_some(names)} ({verdict.reason}); {REMEDIES[verdict.word]}"
        for verdict, names in new.items()
    ]


def _certain(norm: np.ndarray, zeros: np.ndarray) -> Verdict | None:
    if not np.isfinite(norm).all():
        return Verdict("exploding", "gradient not finite")
    if zeros.min() > DEAD:
        return Verdict("dead", "no gradient reaches its weights")
    return None


def _exploding(norm: np.ndarray, weight: np.ndarray, size: np.ndarray) -> Verdict | None:
    if size.max() > HEAVY:
        return Verdict("exploding", f"weights above {HEAVY:g}")
    if size.min() > LIGHT and np.median(norm / weight) > EXPLODING:
        return Verdict("exploding", f"gradient above {EXPLODING:g} times the weights")
    return None


def _relative(norm: np.ndarray) -> np.ndarray:
    """Return `(L, T)` norms over that of the median layer; 1 where that is unknown."""
    median = np.nanmedian(np.where(norm > 0, norm, np.nan), axis=0)
    return np.divide(norm, median, out=np.ones_like(norm), where=np.isfinite(norm + median))


def _bursts(norm: np.ndarray, earlier: np.ndarray) -> np.ndarray:
    """Return which of L layers grew, in a network that grew as a whole."""
    if earlier.shape[1] < 4:
        return np.zeros(len(norm), bool)
    now, before = np.nan_to_num(norm), np.nan_to_num(earlier)
    grown = np.linalg.norm(now, axis=0).max() > GROWTH * np.linalg.norm(before, axis=0).max()
    return grown & (now.max(1) > GROWTH * np.maximum(before.max(1), STILL))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
