"""What a kernel's run left behind."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from common.errors import KitError

from ..packing.packed import PREDICT, read_json
from .fetch import fetch, mega
from .log import read_log
from .ranges import open_address
from .service import Service

LOG = "kernel.log"


def fetch_output(service: Service, kernel: str, folder: Path) -> str:
    """Put all files of the newest run into the folder, emptied before; return its log.

    Raises:
        KitError: a file's name leads out of the folder.
    """
    files, text = service.kernel_output(kernel)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, address in files:
        target = folder / name
        if not target.resolve().is_relative_to(folder.resolve()):
            raise KitError(f"expected files of the run's folder, got '{name}'; look at the kernel")
        target.parent.mkdir(parents=True, exist_ok=True)
        fetch(partial(open_address, address), target)
    log = "\n".join(read_log(text))
    (folder / LOG).write_text(log + "\n")
    return log


def summary_lines(folder: Path, facts: dict[str, Any]) -> list[str]:
    """Return what came, how long it took and what to do next."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = mega(sum(path.stat().st_size for path in files))
    lines = [f"output: {len(files)} files, {size}, in {folder}"]
    if (folder / "kernel.json").is_file():
        lines += _measured(read_json(folder / "kernel.json"))
    if facts["kind"] == PREDICT:
        lines.append(f"next: kit submit {facts['competition']}")
    return lines


def _measured(kernel: dict[str, Any]) -> list[str]:
    seconds = kernel.get("seconds", {})
    lines = [
        f"{kernel.get('images')} images in {seconds.get('total', 0):.0f} s "
        f"(start {seconds.get('start', 0):.0f} s), peak memory {kernel.get('peak_memory_gb')} GB"
    ]
    given_up, broken = kernel.get("given_up") or [], kernel.get("broken") or []
    lines += [f"given up for time: {'; '.join(given_up)}"] if given_up else []
    return lines + ([f"broken images: {len(broken)}, such as {broken[0]}"] if broken else [])
