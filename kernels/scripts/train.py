"""Trains as `kit train` does, and goes on with the run of an attached earlier output.

`kit kernel pack --train` fills in the two values below; nothing else of the repository is needed.
"""

import base64
import io
import os
import sys
import tarfile
import tempfile
import time
from importlib import import_module
from pathlib import Path

BEGUN = time.time()
PACKED: dict = {}  # what is packed
CODE = ""  # the files of the kit that are needed: tar, xz, base64


def unpack(code: str) -> Path:
    """Put the embedded code where Python finds it; return a folder for what else is installed."""
    folder = Path(tempfile.mkdtemp(prefix="kit-"))
    with tarfile.open(fileobj=io.BytesIO(base64.b64decode(code)), mode="r:xz") as archive:
        archive.extractall(folder / "code", filter="data")
    sys.path.insert(0, str(folder / "code"))
    return folder / "packages"


def main() -> None:
    """Find the data, train, and keep account of what that took."""
    packages = unpack(CODE)
    from common.kaggle.inputs import (
        can_read,
        find_competition,
        find_dataset,
        has_file,
        working_dir,
    )
    from common.kaggle.machine import (
        install_wheels,
        print_versions,
        read_secrets,
        write_account,
    )

    print_versions(PACKED)
    if wheels := PACKED["datasets"].get("wheels"):
        install_wheels(find_dataset(wheels, has_file("*.whl")), packages)
    print(f"secrets: {', '.join(read_secrets()) or 'none'}", flush=True)

    from common.config import Config
    from common.kaggle.train_gpus import train_on_gpus

    config, name = Config.model_validate(PACKED["config"]), PACKED["competition"]
    data = import_module(f"competitions.{name}.data")
    place = find_competition(
        PACKED["slug"], can_read(lambda folder: data.read_train(folder, config))
    )
    print(f"data: {place}", flush=True)
    os.chdir(working_dir())
    runs, overrides = Path("runs"), list(PACKED["overrides"])
    if labels := PACKED["datasets"].get("pseudo"):
        from common.data.pseudo_move import FILE, arrive

        found = find_dataset(labels, has_file(FILE))
        overrides.append(f"data.pseudo={arrive(found, data.read_test(place), runs / name)}")
    words = {key: PACKED[key] for key in ("experiment", "fold")}
    words |= {"name": name, "overrides": overrides, "stored_as": ""}
    words |= {"given_data": str(place), "given_runs": str(runs)}
    words["resume"] = True  # where an earlier output is attached; else it begins
    train_on_gpus(config.kernel.gpus, words)
    write_account(working_dir(), BEGUN)


if __name__ == "__main__":
    main()
