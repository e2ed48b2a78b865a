"""Weights of members: given, or found on predictions by hill climbing and on the simplex."""

from collections.abc import Callable, Sequence

import numpy as np

from common.errors import KitError

ROUNDS = 40  # members in the bag at most
STEPS = (0.2, 0.1, 0.05, 0.02)  # that weight moves from one member to another

Gain = Callable[[np.ndarray], float]  # (M,) weights -> the more the better


def hill_climb(gain: Gain, num: int, rounds: int = ROUNDS) -> np.ndarray:
    """Return `(M,)` weights by greedy selection with replacement (Caruana et al. 2004).

    The bag begins with the best member; each round adds the one that helps most, even if it harms,
    and the best bag of all is taken.
    """
    bag = np.zeros(num)
    best, found = -np.inf, np.full(num, 1 / num)
    for _ in range(rounds):
        tried = [(bag + row) / (bag.sum() + 1) for row in np.eye(num)]
        gains = [_finite(gain(weights)) for weights in tried]
        place = int(np.argmax(gains))
        bag[place] += 1
        if gains[place] > best:
            best, found = gains[place], tried[place]
    return found


def optimise(gain: Gain, num: int) -> np.ndarray:
    """Return `(M,)` weights of 0 or more that add up to 1, by SLSQP and then by exchange.

    A score of decisions is flat between its steps, where a gradient sees nothing: weight moves from
    one member to another as long as that helps.
    """
    from scipy.optimize import minimize

    equal = np.full(num, 1 / num)
    solved = minimize(
        lambda weights: -_finite(gain(_on_simplex(weights))),
        equal,
        method="SLSQP",
        bounds=[(0, 1)] * num,
        constraints={"type": "eq", "fun": lambda weights: weights.sum() - 1},
    ).x
    starts = [equal, _on_simplex(solved)]
    return _exchange(gain, max(starts, key=lambda weights: _finite(gain(weights))))


def check_weights(text: str, names: Sequence[str]) -> np.ndarray:
    """Return `(M,)` weights from `0.6,0.4`; all alike where the text is empty.

    Raises:
        KitError: other than M numbers of 0 or more that add up to 1.
    """
    if not text:
        return np.full(len(names), 1 / len(names))
    try:
        weights = np.array([float(word) for word in text.split(",")])
    except ValueError:
        raise KitError(f"expected --weights such as 0.6,0.4, got '{text}'") from None
    if len(weights) != len(names):
        raise KitError(
            f"expected {len(names)} weights, one for each of {', '.join(names)}, got {len(weights)}"
        )
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise KitError(f"expected weights of 0 or more, got {text}; leave a bad member out")
    if abs(weights.sum() - 1) > 1e-3:
        total = weights.sum()
        fitting = ",".join(f"{w / total:.4g}" for w in weights) if total else "equal ones"
        raise KitError(f"expected weights that add up to 1, got {total:g}; give {fitting}")
    return weights / weights.sum()


def _exchange(gain: Gain, weights: np.ndarray) -> np.ndarray:
    best = _finite(gain(weights))
    for step in STEPS:
        improved = True
        while improved:
            improved = False
            for giver, taker in np.argwhere(~np.eye(len(weights), dtype=bool)):
                moved = min(step, weights[giver])
                tried = weights.copy()
                tried[giver] -= moved
                tried[taker] += moved
                found = _finite(gain(tried)) if moved > 0 else -np.inf
                if found > best + 1e-9:
                    weights, best, improved = tried, found, True
    return weights


def _on_simplex(weights: np.ndarray) -> np.ndarray:
    weights = np.clip(weights, 0, None)
    total = weights.sum()
    return weights / total if total > 0 else np.full(len(weights), 1 / len(weights))


def _finite(value: float) -> float:
    return -1e9 if np.isnan(value) else value
