"""kit submit: one attempt, its score, and the score beside the runs that made it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from common.commands.check import check_submission_file
from common.commands.runs import find_run
from common.competition import Competition
from common.environment import default_data_dir, runs_dir
from common.errors import KitError

from ..packing.packed import PREDICT, Packed, hash_file
from .answers import SCORING, Doing, refusal
from .plan import file_plan, kernel_plan
from .push import COMPLETE
from .service import Service, connect
from .slug import slug_of
from .submissions import Entry, Submissions, find_entry_runs, scored, write_scores
from .watch import follow

UNLISTED = 20  # looks without finding it in the list


@dataclass(frozen=True)
class Attempt:
    """What is to be submitted."""

    slug: str  # of the competition
    what: str  # tells it from others
    file: str | Path  # name within the kernel's output, or a file here
    message: str
    runs: tuple[str, ...]
    kernel: str = ""  # none: a file
    version: int = 0
    is_newest: bool = True  # of the kernel's versions

    def plan(self, wait: bool) -> list[str]:
        """Return the requests that it takes."""
        if self.kernel:
            whole = (self.slug, self.kernel, self.version, str(self.file), self.message, wait)
            return kernel_plan(*whole)
        return file_plan(self.slug, Path(self.file), self.message, wait)

    def send(self, service: Service) -> Entry:
        """Spend the attempt."""
        if self.kernel:
            whole = (self.slug, self.kernel, self.version, str(self.file), self.message)
            reference = service.submit_kernel(*whole)
        else:
            reference = service.submit_file(self.slug, Path(self.file), self.message)
        return Entry(reference, self.what, Path(self.file).name, self.message, self.runs)


def submit(
    competition: str,
    file: Path | None,
    version: int,
    message: str,
    run: Sequence[str],
    packed: Path | None,
    data: Path | None,
    runs: Path | None,
    dry_run: bool,
    wait: bool,
) -> None:
    """Submit the kernel pushed last, or a file, and note its score.

    What was submitted before is not submitted again: its score is waited for. Exit code 1: Kaggle
    could not score it.
    """
    root, slug = runs_dir(runs), slug_of(competition)
    if file:
        attempt = _of_file(competition, slug, file, message, run, data, root)
    else:
        found = Packed.find(competition, packed, PREDICT, runs)
        attempt = _of_kernel(competition, slug, found, version, message, data)
    if dry_run:
        print("\n".join(attempt.plan(wait)))
        return
    service, known = connect(), Submissions(root / competition)
    entry = known.find(attempt.what)
    if entry:
        print(f"submitted before, as {entry.reference}; no attempt is spent", flush=True)
    else:
        _expect_complete(service, attempt)
        entry = attempt.send(service)
        known.keep(entry)
        print(f"submitted {attempt.what} to {slug} as {entry.reference}", flush=True)
    if wait:
        _score(service, slug, known, entry, root, f"kit submit {competition}, as before")


def _of_file(
    competition: str,
    slug: str,
    file: Path,
    message: str,
    run: Sequence[str],
    data: Path | None,
    root: Path,
) -> Attempt:
    if not file.is_file():
        raise KitError(f"expected a submission '{file}', found none; kit predict writes one")
    check_submission_file(competition, data, file)
    names = tuple(find_run(name, root).name for name in run)
    what = f"sha256 {hash_file(file)}"
    return Attempt(slug, what, file, message or ", ".join(names) or file.name, names)


def _of_kernel(
    competition: str, slug: str, packed: Packed, version: int, message: str, data: Path | None
) -> Attempt:
    pushed = packed.pushed["kernel"]
    if not pushed:
        raise KitError(
            f"expected a pushed kernel in '{packed.folder}', found none; kit kernel push "
            f"{competition}"
        )
    chosen, names = version or pushed["version"], tuple(packed.facts["runs"])
    file = getattr(Competition.find(competition).module("data"), "SUBMISSION", "submission.csv")
    written, place = packed.output / file, data or default_data_dir(competition)
    is_newest = chosen == pushed["version"]
    if is_newest and written.is_file() and place.is_dir():
        check_submission_file(competition, data, written)
    what = f"{pushed['ref']} version {chosen}"
    said = message or ", ".join(names)
    return Attempt(slug, what, str(file), said, names, pushed["ref"], chosen, is_newest)


def _expect_complete(service: Service, attempt: Attempt) -> None:
    """Refuse a kernel whose run has not succeeded; only the newest version's can be looked at."""
    if not attempt.kernel or not attempt.is_newest:
        return
    status, why = service.kernel_state(attempt.kernel)
    if status != COMPLETE:
        raise KitError(
            f"expected a run of {attempt.kernel} that is complete, got: {status} {why}".rstrip()
            + "; follow it to its end by kit kernel push, or mend it first"
        )


def _score(
    service: Service, slug: str, known: Submissions, entry: Entry, root: Path, again: str
) -> None:
    entry = _wait(service, slug, entry, f"it is being scored; wait for it again by: {again}")
    known.keep(entry)
    if entry.status != COMPLETE:
        doing = Doing(f"have submission {entry.reference} scored")
        print(refusal(doing, entry.error or entry.status, SCORING))
        sys.exit(1)
    print(f"public score: {entry.public}" + ("" if entry.private is None else
          f", private score: {entry.private}"), flush=True)  # fmt: skip
    runs = find_entry_runs(entry.runs, root)
    write_scores(entry, runs)
    if runs:
        print(f"noted beside {', '.join(run.name for run in runs)}: kit runs", flush=True)


def _wait(service: Service, slug: str, entry: Entry, goes_on: str) -> Entry:
    unlisted = 0

    def look() -> str:
        nonlocal entry, unlisted
        found = service.submission(slug, entry.reference)
        unlisted = unlisted + 1 if found is None else 0
        if unlisted > UNLISTED:
            raise KitError(
                f"expected submission {entry.reference} in the list of {slug}'s, found none; look "
                f"at https://www.kaggle.com/competitions/{slug}/submissions"
            )
        entry = scored(entry, found) if found else entry
        return entry.status

    follow(f"submission {entry.reference}", look, (COMPLETE, "error"), goes_on)
    return entry
