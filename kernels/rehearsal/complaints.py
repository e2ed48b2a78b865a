"""What speaks for each of Kaggle's answers to a notebook that failed."""

import re
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from .estimate import Estimate
from .sandbox import Abilities
from .trial import Trial, some_files
from .watch import Limits

TIMEOUT = "Notebook Timeout"
EXCEPTION = "Notebook Threw Exception"
MEMORY = "Notebook Exceeded Allowed Compute: memory"
DISK = "Notebook Exceeded Allowed Compute: disk"
NOT_FOUND = "Submission CSV Not Found"
SCORING = "Submission Scoring Error"
NETWORK = "(tried to use the network)"
INPUTS = "(wrote to its inputs)"
SHOWN = 2  # faults of a submission


@dataclass(frozen=True)
class Rehearsal:
    """All that was seen."""

    trials: Sequence[Trial]  # the public test set, then the hidden one if it came to that
    estimate: Estimate | None  # None: not both ended well
    limits: Limits
    abilities: Abilities
    submission: str
    hindrance: str = ""  # why no hidden test set could be made
    untried: int = 0  # wheels that are not for this Python


def foreseen(answer: str, found: Estimate, limits: Limits) -> str:
    """Return why the test set that scores would exceed a limit."""
    if answer == TIMEOUT and found.seconds > limits.seconds:
        return f"{time_estimated(found)}, more than {duration(limits.seconds)}"
    if answer == MEMORY and (found.memory_gb or 0) > limits.memory_gb:
        taken = f"{found.images} images would take {size(found.memory_gb or 0)}"
        return f"{taken} (each adds {found.growth:.1f} MB), more than {limits.memory_gb:g} GB"
    if answer == DISK and found.working_gb > limits.working_gb:
        taken = f"{found.images} images would leave {size(found.working_gb)}"
        return f"{taken} in the working folder, more than {limits.working_gb:g} GB"
    return ""


def timeout(trial: Trial, seen: Rehearsal) -> str:
    """Return why Kaggle would answer so, from one run; here and below, empty where not."""
    stopped = trial.outcome.stopped == "time"
    return f"stopped after {duration(seen.limits.seconds)}" if stopped else ""


def exception(trial: Trial, seen: Rehearsal) -> str:
    """Return how it ended with an error, and the last one that was printed."""
    code = trial.outcome.code
    if not code:
        return ""
    if code < 0:
        return f"ended by signal {-code} ({_signal(-code)})"
    error = [line for line in trial.outcome.log.splitlines() if re.match(r"[\w.]+(: |$)", line)]
    raised = error and "Traceback (most recent call last)" in trial.outcome.log
    return f"exit code {code}" + (f", {error[-1]}" if raised else "")


def memory(trial: Trial, seen: Rehearsal) -> str:
    """Return what its processes took, where that was too much."""
    used, stopped = trial.outcome.memory_gb or 0, trial.outcome.stopped
    if stopped == "memory":
        return f"stopped at {size(used)}, more than {seen.limits.memory_gb:g} GB"
    if stopped == "machine memory":
        granted = f"Kaggle grants {seen.limits.memory_gb:g} GB"
        return f"stopped at {size(used)}, all that this machine has left; {granted}"
    return ""


def disk(trial: Trial, seen: Rehearsal) -> str:
    """Return what lay in the working folder, where that was too much."""
    if trial.outcome.stopped != "disk":
        return ""
    used = f"{size(trial.outcome.working_gb)} in the working folder"
    return f"stopped at {used}, more than {seen.limits.working_gb:g} GB"


def not_found(trial: Trial, seen: Rehearsal) -> str:
    """Return what there is instead of the submission."""
    if trial.outcome.code != 0 or trial.faults is not None:
        return ""
    return f"no {seen.submission} in the working folder; it holds {some_files(trial.found)}"


def scoring(trial: Trial, seen: Rehearsal) -> str:
    """Return what the competition's rules object to."""
    faults = trial.faults
    if trial.outcome.code != 0 or not faults:
        return ""
    more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
    return "; ".join(faults[:SHOWN]) + more


def network(trial: Trial, seen: Rehearsal) -> str:
    """Return whom it tried to reach."""
    return "" if seen.limits.internet else _listed(trial.outcome.network)


def inputs(trial: Trial, seen: Rehearsal) -> str:
    """Return what it tried to write to, and what has changed."""
    return _listed(trial.outcome.writes)


def _listed(texts: Sequence[str]) -> str:
    return "; ".join(texts[:SHOWN]) + (f"; and {len(texts) - SHOWN} more" if texts[SHOWN:] else "")


def time_estimated(found: Estimate) -> str:
    """Return what the test set that scores would take, and of what that is made up."""
    cost = f"{duration(found.start)} + {found.per_image:.3f} s an image"
    return f"{found.images} images would take {duration(found.seconds)} ({cost})"


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"


def duration(seconds: float) -> str:
    """Return seconds as a person says them: 4.2 s, 12 min, 8 h 05 min."""
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def size(gb: float) -> str:
    """Return gigabytes as a person says them: 12 MB, 1.24 GB."""
    return f"{gb * 1000:.0f} MB" if gb < 0.1 else f"{gb:.2f} GB"
