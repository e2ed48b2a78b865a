"""The stage of a rehearsal: what is prepared once, and the runs made on it."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType

from common.commands.check import submission_findings
from common.competition import Competition
from common.config import KernelConfig
from common.errors import KitError

from ..packing.packed import Packed
from .complaints import Rehearsal, duration, size
from .estimate import Estimate, estimate
from .fresh_environment import Environment, Interpreter, choose_interpreter, make_environment
from .hidden import HiddenTest, make_hidden
from .input_tree import Part, competition_data, data_sets
from .sandbox import INPUT, Abilities, Sandbox
from .script import write_script
from .trial import Trial, look_at
from .watch import Limits

SUBMISSION = "submission.csv"
LONGER, MOST = 60.0, 500  # seconds and images that the hidden test set may have more


@dataclass(frozen=True)
class Stage:
    """What all runs of a rehearsal share.

    Attributes:
        module: the competition's data.py.
        data: the public data.
        fixed: the packed data sets, which are there whatever the test set.
    """

    kernel: Packed
    module: ModuleType
    data: Path
    sandbox: Sandbox
    script: Path
    fixed: tuple[Part, ...]

    @property
    def submission(self) -> str:
        """Name of the file that is scored."""
        return getattr(self.module, "SUBMISSION", SUBMISSION)

    def play(self, name: str, images: int, new: Path | None = None) -> Trial:
        """Run the kernel on a test set and tell how it ended.

        Args:
            new: files that take the place of public ones.
        """
        print(f"{name} test set, {images} images ...", end=" ", flush=True)
        parts = competition_data(self.data, self.kernel.slug, new)
        outcome = self.sandbox.run(name, self.script, [*parts, *self.fixed])
        check = partial(_errors, self.kernel.competition, new or self.data)
        trial = look_at(name, images, outcome, self.submission, check)
        print(_ending(trial), flush=True)
        return trial

    def seen(
        self, trials: Sequence[Trial], found: Estimate | None = None, hindrance: str = ""
    ) -> Rehearsal:
        """Return all that there is to judge by."""
        able, limits = self.sandbox.abilities, self.sandbox.limits
        untried = len(self.sandbox.environment.unfit)
        return Rehearsal(trials, found, limits, able, self.submission, hindrance, untried)


def run_both(kernel: Packed, data: Path, place: Path, hidden: int) -> Rehearsal:
    """Run the kernel on the public test set and, if it comes through, on a hidden one.

    Args:
        data: the competition's data, of which the hidden test set is made.
        place: temporary folder for all that is made.
        hidden: images of the test set that scores; 0: as the config says.
    """
    stage = prepare(kernel, data, place)
    count = len(stage.module.read_test(data))
    public = stage.play("public", count)
    if not public.ended_well:
        return stage.seen([public])
    try:
        more = _affordable(public)
        made = make_hidden(stage.module, data, place / "hidden-files", more=more)
    except KitError as error:
        return stage.seen([public], hindrance=str(error))
    other = stage.play("hidden", made.count, made.folder)
    _tell_of_broken(made, other)
    wanted = hidden or kernel.config.kernel.hidden_images or count
    found = estimate(public, other, wanted) if other.ended_well else None
    return stage.seen([public, other], found)


def _affordable(public: Trial) -> int:
    """Return how many images more the time allows.

    The first images fill what readers hold in advance. By a few images more that would look like
    memory that each image adds, and memory that each one adds like noise.
    """
    seconds = public.predict_seconds or public.outcome.seconds
    return min(int(LONGER * public.images / max(seconds, 1e-3)), MOST)


def prepare(kernel: Packed, data: Path, place: Path) -> Stage:
    """Make environment and sandbox, and say what they are."""
    base, abilities = choose_interpreter(), Abilities.probe()
    environment = make_environment(place / "python", base, kernel.wheels)
    sandbox = Sandbox(place, environment, abilities, limits_of(kernel.config.kernel))
    print("\n".join(_head(kernel, base, environment, sandbox)), flush=True)
    return Stage(
        kernel=kernel,
        module=Competition.find(kernel.competition).module("data"),
        data=data,
        sandbox=sandbox,
        script=write_script(kernel.script, place),
        fixed=tuple(data_sets(kernel.folder, kernel.datasets)),
    )


def limits_of(config: KernelConfig) -> Limits:
    """Return what a competition grants."""
    return Limits(config.hours * 3600, config.memory_gb, config.working_gb)


def _head(
    kernel: Packed, base: Interpreter, environment: Environment, sandbox: Sandbox
) -> list[str]:
    able, limits = sandbox.abilities, sandbox.limits
    kind = "the Kaggle image's set" if base.is_kaggles else "this machine's, not the Kaggle image's"
    granted = f"{limits.memory_gb:g} GB memory, {limits.working_gb:g} GB working folder"
    return [
        f"kernel:  {kernel.script}",
        f"python:  {environment.says} ({kind})",
        f"limits:  {duration(limits.seconds)}, {granted}",
        f"machine: {_machine(kernel.config.kernel)}",
        f"sandbox: {_doors(able, limits)}",
        *(
            f"NOT TRIED: {' '.join(wheel.split('-')[:3])}, whose wheel is for another Python; "
            "this one's own package was used"
            for wheel in environment.unfit
        ),
        "",
    ]


def _machine(config: KernelConfig) -> str:
    """Return what the times were taken on, as far as it is not what Kaggle has."""
    gpu = Path("/dev/nvidia0").exists()
    lacking = ", which the kernel asks for: its times will differ" if config.gpu else ""
    return f"{os.cpu_count()} CPUs, " + ("a GPU" if gpu else f"no GPU{lacking}")


def _doors(able: Abilities, limits: Limits) -> str:
    network = "no network" if able.network else "NO NETWORK NAMESPACE, Python's sockets refused"
    inputs = (
        f"read-only {INPUT}"
        if able.mounts
        else "NO MOUNTS, inputs copied to a temporary folder and refused to Python's writing"
    )
    return f"{'internet' if limits.internet else network}; {inputs}"


def _ending(trial: Trial) -> str:
    outcome = trial.outcome
    memory = "" if outcome.memory_gb is None else f", {size(outcome.memory_gb)}"
    end = f"stopped: {outcome.stopped}" if outcome.stopped else f"exit code {outcome.code}"
    given_up = ", ".join(map(str, trial.report.get("given_up") or []))
    more = f"; gave up {given_up}" if given_up else ""
    return f"{end} after {duration(outcome.seconds)}{memory}{more}"


def _tell_of_broken(made: HiddenTest, trial: Trial) -> None:
    named = trial.report.get("broken")
    if trial.ended_well and isinstance(named, list) and made.broken not in map(str, named):
        print(f"note: kernel.json does not name the file that cannot be read: {made.broken}")


def _errors(competition: str, data: Path, file: Path) -> list[str]:
    findings = submission_findings(competition, data, file)
    return [str(finding) for finding in findings if finding.severity == "error"]
