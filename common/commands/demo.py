"""kit demo."""

import time
from pathlib import Path

from common.competition import Competition
from common.environment import default_data_dir
from common.errors import KitError


def write_demo(name: str, given: Path | None) -> None:
    """Write the demo data of a competition where its data belongs, unless there is some already."""
    folder = given or default_data_dir(name)
    if folder.is_dir() and any(folder.iterdir()):
        raise KitError(
            f"expected an empty place for demo data, but '{folder}' holds files; they are left "
            "alone: name another folder with --data, or delete it"
        )
    demo = Competition.find(name).module("demo")
    started = time.monotonic()
    demo.write_demo(folder)
    files = sum(1 for file in folder.rglob("*") if file.is_file())
    print(f"wrote {files} files to {folder} in {time.monotonic() - started:.1f} s")
