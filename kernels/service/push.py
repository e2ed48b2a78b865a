"""kit kernel push: data sets up, kernel up, its run followed, its output down."""

import sys
import time
from pathlib import Path

from common.competition import Competition
from common.errors import KitError

from ..packing.packed import PREDICT, TRAIN, Packed, files_of
from .answers import RUNNING, remedy_of
from .asking import PATIENT
from .fetch import mega
from .log import LogTail
from .output import fetch_output, summary_lines
from .plan import push_plan
from .service import Service, connect
from .watch import EVERY, follow

READY, LOST = "ready", ("failed", "deleted")
READY_SECONDS = 3600.0  # that Kaggle may take to unpack a data set
COMPLETE, ENDED = "complete", ("complete", "error", "cancel_acknowledged")


def push(
    competition: str,
    packed: Path | None,
    train: bool,
    dry_run: bool,
    wait: bool,
    runs: Path | None,
) -> None:
    """Upload what changed, run the kernel, fetch its output; exit code 1 if the run failed.

    What is unchanged since the last push is not uploaded again; of a kernel that still runs, or
    has succeeded, the run is followed instead.
    """
    Competition.find(competition)
    found = Packed.find(competition, packed, TRAIN if train else PREDICT, runs)
    if dry_run:
        print("\n".join(push_plan(found, wait)))
        return
    service = connect()
    _expect_owner(found, service)
    changed = [part for part in found.datasets if _upload(found, service, part)]
    if changed or not _goes_on(found):
        _push_kernel(found, service)
        if wait:
            time.sleep(EVERY)  # at first, Kaggle may still tell of the version before
    else:
        print(f"nothing changed since version {found.pushed['kernel']['version']}", flush=True)
    if wait:
        _follow(found, service, f"kit kernel push {competition}{' --train' if train else ''}")


def _expect_owner(packed: Packed, service: Service) -> None:
    owner = packed.kernel.partition("/")[0]
    if service.user and owner.lower() != service.user.lower():
        raise KitError(
            f"expected a kernel of '{service.user}', whose token this is, got one packed for "
            f"'{owner}'; pack again with --owner {service.user}"
        )


def _upload(packed: Packed, service: Service, part: str) -> bool:
    """Bring a data set up to date and wait until it can be mounted; return whether it changed."""
    ref, status = packed.datasets[part], service.dataset_status(packed.datasets[part])
    stale = not packed.is_pushed(part)
    if not status or stale or status in LOST:
        size = sum(file.stat().st_size for file in files_of(packed.folder / part))
        what = "a new version of" if status else "the new data set"
        print(f"uploading {what} {ref}, {mega(size)}", flush=True)
        _send(packed, service, part, is_new=not status)
    if status != READY or stale:
        _wait_until_ready(service, ref)
    else:
        print(f"{ref}: unchanged and ready", flush=True)
    return stale or not status


def _send(packed: Packed, service: Service, part: str, is_new: bool) -> None:
    hashes, ref, folder = packed.hashes(part), packed.datasets[part], packed.folder / part
    if is_new:
        service.create_dataset(folder, ref)
    else:
        names = ", ".join(packed.facts.get("runs") or []) or packed.facts["kind"]
        notes = f"{names} at {packed.facts.get('git') or 'no commit'}"
        service.add_version(folder, ref, notes)
    packed.remember(part, ref=ref, sha256=hashes)


def _wait_until_ready(service: Service, ref: str) -> None:
    again = f"{ref} goes on without us; push again to go on here"
    time.sleep(EVERY)  # at first, Kaggle may still tell of the version before
    status = follow(
        ref, lambda: service.dataset_status(ref, PATIENT), (READY, *LOST), again, READY_SECONDS
    )
    if status != READY:
        raise KitError(
            f"expected the data set {ref} to become ready, got: {status}; look at "
            f"https://www.kaggle.com/datasets/{ref}, delete it there if it is broken, push again"
        )


def _goes_on(packed: Packed) -> bool:
    """Return whether this very kernel runs already or has succeeded."""
    status = packed.pushed["kernel"].get("status")
    return packed.is_pushed("kernel") and (status == COMPLETE or status not in ENDED)


def _push_kernel(packed: Packed, service: Service) -> None:
    hashes = packed.hashes("kernel")
    saved = service.push_kernel(packed.code, packed.kernel)
    packed.remember(
        "kernel", ref=saved.kernel, version=saved.version, url=saved.url, sha256=hashes,
        status="pushed",
    )  # fmt: skip
    print(f"pushed {saved.kernel} version {saved.version}: {saved.url}", flush=True)
    if saved.kernel.lower() != packed.kernel.lower():
        print(f"note: Kaggle calls it {saved.kernel}, not {packed.kernel}", flush=True)


def _follow(packed: Packed, service: Service, command: str) -> None:
    kernel, tail, why = packed.pushed["kernel"]["ref"], LogTail(), ""

    def look() -> str:
        nonlocal why
        status, why = service.kernel_state(kernel)
        if status == "running":
            tail.show(service, kernel)
        return status

    status = follow(kernel, look, ENDED, f"{kernel} goes on; follow it again by: {command}")
    packed.remember("kernel", status=status)
    log = fetch_output(service, kernel, packed.output)
    if status != COMPLETE:
        tail.show_end(log)
        print(f"failed ({status}): {why or 'no reason given'}; {_verdict(status, why, log)}")
        sys.exit(1)
    print("\n".join(summary_lines(packed.output, packed.facts)), flush=True)


def _verdict(status: str, why: str, log: str) -> str:
    return remedy_of(RUNNING, f"{why}\n{status}\n{log[-4000:]}")
