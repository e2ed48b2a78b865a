"""How sure a score is, from drawing the samples anew: its interval, its shake-up, who would win.

What is drawn are units: samples, or groups of samples that belong together. Everything works on
places of units, so any metric will do; slow ones get as many draws as their time allows.
"""

import time
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

TIMES = 1000  # draws
SECONDS = 5.0  # for the draws of one metric
LEAST = 20  # draws, unless they take MOST times as long
MOST = 4
PERCENTILES = 200  # draws from which on percentiles are read off; with fewer a normal curve serves

Scores = Callable[..., Sequence[float]]  # one array of drawn places per size -> K numbers


class Interval(NamedTuple):
    """A range that holds 95 % of what would come out."""

    low: float
    high: float


class ShakeUp(NamedTuple):
    """How far a score on the public part lies from that on the private part."""

    spread: float  # standard deviation of public - private
    most: float  # what 95 % of the differences stay below, whatever their sign
    draws: int


class Duel(NamedTuple):
    """One experiment against another on the same samples; what is better is positive."""

    gain: float  # of the first over the second, on all samples
    interval: Interval
    wins: float  # share of draws in which the first is better
    swaps: float  # share of draws in which public and private part disagree who is better
    draws: int


def repeat(
    scores: Scores,
    num: int,
    sizes: Sequence[int],
    times: int = TIMES,
    seconds: float = SECONDS,
    seed: int = 0,
) -> np.ndarray:
    """Return `(R, K)` numbers of R draws with replacement; draws without a score are left out.

    R is `times`, or what fits into `seconds` (20 may take four times as long).

    Args:
        scores: takes an array of places `(size,)` for each size, returns K numbers.
        num: units there are; places are 0 to num - 1.
        sizes: how many units each array holds.
    """
    random, start = np.random.default_rng(seed), time.monotonic()
    found: list[Sequence[float]] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a draw that lacks a class has no score
        while len(found) < times:
            passed = time.monotonic() - start
            if passed > seconds and (len(found) >= LEAST or passed > MOST * seconds):
                break
            found.append(scores(*(random.integers(num, size=size) for size in sizes)))
    table = np.array(found, np.float64).reshape(len(found), -1)
    return table[np.isfinite(table).all(1)]


def interval_of(values: np.ndarray, level: float = 0.95) -> Interval:
    """Return the percentile interval of `(R,)` draws; NaN without any."""
    if len(values) < 2:
        return Interval(float("nan"), float("nan"))
    tail = (1 - level) / 2
    if len(values) >= PERCENTILES:
        low, high = np.quantile(values, (tail, 1 - tail))
        return Interval(float(low), float(high))
    from scipy.stats import norm

    reach = norm.ppf(1 - tail) * values.std(ddof=1)
    return Interval(float(values.mean() - reach), float(values.mean() + reach))


def bootstrap(
    score: Callable[[np.ndarray], float],
    num: int,
    times: int = TIMES,
    seconds: float = SECONDS,
    seed: int = 0,
) -> np.ndarray:
    """Return `(R,)` scores of draws of as many units as there are (Efron 1979)."""
    return repeat(lambda drawn: (score(drawn),), num, (num,), times, seconds, seed)[:, 0]


def shake_up(
    score: Callable[[np.ndarray], float],
    num: int,
    public: float,
    times: int = TIMES,
    seconds: float = SECONDS,
    seed: int = 0,
) -> ShakeUp:
    """Return how far public and private scores of a test set of `num` units lie apart.

    Both parts are drawn independently, as the test set is from the world; halves of the very same
    samples would be bound to err in opposite directions.
    """
    found = repeat(
        lambda one, other: (score(one) - score(other),),
        num,
        parts_of(num, public),
        times,
        seconds,
        seed,
    )[:, 0]
    if len(found) < 2:
        return ShakeUp(float("nan"), float("nan"), len(found))
    return ShakeUp(float(found.std()), float(np.quantile(np.abs(found), 0.95)), len(found))


def duel(
    gains: Callable[[np.ndarray], float],
    num: int,
    public: float,
    times: int = TIMES,
    seconds: float = SECONDS,
    seed: int = 0,
) -> Duel:
    """Compare two experiments on the same draws (paired): the first's gain, and who would swap.

    Args:
        gains: places of units `(size,)` -> by how much the first is better there.
        num: units both have.
        public: share of the test set that the public leader board shows.
    """
    drawn = repeat(
        lambda whole, one, other: (gains(whole), gains(one), gains(other)),
        num,
        (num, *parts_of(num, public)),
        times,
        seconds,
        seed,
    )
    whole, one, other = drawn.T
    swaps = np.where(one * other == 0, 0.5 * (one != other), one * other < 0)  # a tie: half
    wins = (whole > 0) + 0.5 * (whole == 0)
    won, swapped = (float(v.mean()) if len(v) else float("nan") for v in (wins, swaps))
    return Duel(gains(np.arange(num)), interval_of(whole), won, swapped, len(drawn))


def parts_of(num: int, public: float) -> tuple[int, int]:
    """Return how many units the public and the private part hold, each at least one."""
    shown = min(max(round(num * public), 1), max(num - 1, 1))
    return shown, max(num - shown, 1)
