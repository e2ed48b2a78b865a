"""Predicts the test set: offline, with the code that is embedded here and attached weights.

Every GPU of the machine predicts its share.

`kit kernel pack` fills in the two values below; nothing else of the repository is needed.
"""

import base64
import io
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
    """Find, predict, write, and keep account of what that took."""
    packages = unpack(CODE)
    from common.kaggle.inputs import (
        can_read,
        find_competition,
        find_dataset,
        has_file,
        working_dir,
    )
    from common.kaggle.machine import install_wheels, print_versions, write_account

    print_versions(PACKED)
    if wheels := PACKED["datasets"].get("wheels"):
        install_wheels(find_dataset(wheels, has_file("*.whl")), packages)
    names = PACKED["checkpoints"]
    weights = find_dataset(PACKED["datasets"]["checkpoints"], has_file(names[0]))

    from common.kaggle.every_gpu import predict_on_every_gpu

    name = PACKED["competition"]
    data = import_module(f"competitions.{name}.data")
    place = find_competition(PACKED["slug"], can_read(data.read_test))
    print(f"data: {place}\nweights: {weights}", flush=True)
    out = working_dir() / getattr(data, "SUBMISSION", "submission.csv")
    start = time.time() - BEGUN
    checkpoints = [weights / file for file in names]
    written, facts = predict_on_every_gpu(name, checkpoints, place, out, PACKED["options"])
    seconds = {"start": start, "predict": time.time() - BEGUN - start}
    write_account(working_dir(), BEGUN, seconds=seconds, **facts)
    print(f"submission: {written} (valid)", flush=True)


if __name__ == "__main__":
    main()
