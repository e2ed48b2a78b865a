"""Kaggle's answers to a notebook that failed, and whether it would give them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from . import complaints as why
from .complaints import Rehearsal, duration, size, time_estimated
from .trial import Trial

Status = Literal["passed", "failed", "not checked"]


@dataclass(frozen=True)
class Row:
    """One answer: whether Kaggle would give it, and why or why not."""

    status: Status
    answer: str
    reason: str


def judge(seen: Rehearsal) -> list[Row]:
    """Return a row per answer of Kaggle's, and two of the rehearsal's own."""
    sent, wrote = f"wrote {seen.submission}", "valid, as kit check --submission says"
    known, ended = seen.estimate is not None, _all(seen, _ended)
    (memory, told), network, inputs = _memory_taken(seen), _network(seen), _inputs(seen)
    return [
        _row(why.TIMEOUT, seen, why.timeout, _time_taken(seen), known),
        _row(why.EXCEPTION, seen, why.exception, _ended_so(seen), ended),
        _row(why.MEMORY, seen, why.memory, memory, told),
        _row(why.DISK, seen, why.disk, _disk_taken(seen), known),
        _row(why.NOT_FOUND, seen, why.not_found, sent, _all(seen, _ended_well)),
        _row(why.SCORING, seen, why.scoring, wrote, _all(seen, _wrote)),
        _row(why.NETWORK, seen, why.network, network, ended),
        _row(why.INPUTS, seen, why.inputs, inputs, ended),
    ]


def _row(
    answer: str,
    seen: Rehearsal,
    faults: Callable[[Trial, Rehearsal], str],
    passed: str,
    checked: bool,
) -> Row:
    """Fail with the first complaint; else pass, or say that it did not come to that."""
    for trial in seen.trials:
        if fault := faults(trial, seen):
            return Row("failed", answer, f"{trial.name} test set: {fault}")
    if seen.estimate and (fault := why.foreseen(answer, seen.estimate, seen.limits)):
        return Row("failed", answer, fault)
    if checked:
        return Row("passed", answer, passed)
    blind = answer == why.MEMORY and not seen.abilities.memory
    return Row("not checked", answer, passed if blind else _hindered(seen))


def _hindered(seen: Rehearsal) -> str:
    last = seen.trials[-1]
    if seen.hindrance:
        return f"no hidden test set: {seen.hindrance}"
    if last.outcome.stopped:
        return f"the run on the {last.name} test set was stopped"
    if last.outcome.code:
        return f"the run on the {last.name} test set ended with an error"
    return f"there is no valid run on the {last.name} test set to go on from"


def _time_taken(seen: Rehearsal) -> str:
    limit = duration(seen.limits.seconds)
    return f"{time_estimated(seen.estimate)} of {limit}" if seen.estimate else ""


def _memory_taken(seen: Rehearsal) -> tuple[str, bool]:
    if not seen.abilities.memory:
        return "this system does not say what its processes take", False
    if seen.estimate is None or seen.estimate.memory_gb is None:
        return "", False
    grown = f", {seen.estimate.growth:.1f} MB an image" if seen.estimate.growth else ""
    return f"{size(seen.estimate.memory_gb)} of {seen.limits.memory_gb:g} GB{grown}", True


def _disk_taken(seen: Rehearsal) -> str:
    used = seen.estimate.working_gb if seen.estimate else 0
    return f"{size(used)} of {seen.limits.working_gb:g} GB in the working folder"


def _ended_so(seen: Rehearsal) -> str:
    wheels = f"; not tried: {seen.untried} of its wheels, see above" if seen.untried else ""
    return f"ended with exit code 0{wheels}"


def _network(seen: Rehearsal) -> str:
    if seen.limits.internet:
        return "kernel.internet is true: it may"
    if seen.abilities.network:
        return "nothing tried; there was none"
    return "nothing tried; refused to Python only, other programs could have"


def _inputs(seen: Rehearsal) -> str:
    if seen.abilities.mounts:
        return "nothing tried; they were mounted read-only"
    return "nothing changed; refused to Python only, other programs could have"


def _all(seen: Rehearsal, condition: Callable[[Trial], bool]) -> bool:
    return len(seen.trials) == 2 and all(map(condition, seen.trials))


def _ended(trial: Trial) -> bool:
    return not trial.outcome.stopped


def _ended_well(trial: Trial) -> bool:
    return trial.outcome.code == 0


def _wrote(trial: Trial) -> bool:
    return trial.ended_well
