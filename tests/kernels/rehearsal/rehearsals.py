"""Packed folders with a small stand-in kernel, into which a fault can be planted."""

import json
from pathlib import Path
from textwrap import indent

from PIL import Image

from common.competition import Competition

NAME = "alaska2_classification"
PUBLIC = 4  # images
KERNEL = """
import csv, json, os, sys, time
from pathlib import Path

INPUT = Path(os.environ.get("KIT_KAGGLE_INPUT", "/kaggle/input"))
WORKING = Path(os.environ.get("KIT_KAGGLE_WORKING", "/kaggle/working"))
DATA = next(INPUT.glob("competitions/*"))
began = time.time()

def predict(image_id):
    return len((DATA / "Test" / image_id).read_bytes()) / 1e6

def at_start():
    pass

def per_image(image_id):
    pass

def write(rows):
    with open(WORKING / "submission.csv", "w", newline="") as file:
        csv.writer(file).writerows([["Id", "Label"], *rows])

def change(rows):
    return rows

#PLANT
at_start()
with open(DATA / "sample_submission.csv") as file:
    ids = [row[0] for row in list(csv.reader(file))[1:]]
ready, rows = time.time(), []
for image_id in ids:
    per_image(image_id)
    rows.append([image_id, predict(image_id)])
write(change(rows))
now = time.time()
seconds = {"start": ready - began, "predict": now - ready, "total": now - began}
(WORKING / "kernel.json").write_text(json.dumps({"images": len(ids), "seconds": seconds}))
"""


def plant(function: str, *lines: str) -> str:
    """Return a kernel whose function `function` does something else."""
    heads = {"at_start": "()", "per_image": "(image_id)", "write": "(rows)", "change": "(rows)"}
    body = indent("\n".join(lines), "    ")
    return KERNEL.replace("#PLANT", f"def {function}{heads[function]}:\n{body}\n")


def write_data(folder: Path, count: int = PUBLIC) -> Path:
    """Write a public test set of tiny pictures in the competition's layout, and a training one."""
    ids = [f"{number:04d}.jpg" for number in range(1, count + 1)]
    for place in [*(folder / "Test" / name for name in ids), folder / "Cover" / "00001.jpg"]:
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (24, 16), (90, 140, len(place.name))).save(place)
    (folder / "sample_submission.csv").write_text("\n".join(["Id,Label", *(f"{i},0" for i in ids)]))
    return folder


def write_packed(folder: Path, script: str = KERNEL, name: str = NAME, **limits: float) -> Path:
    """Write what `kit kernel pack` writes, with the script as its kernel."""
    config = Competition(name).experiment("baseline")
    config = config.model_copy(update={f"kernel.{key}": value for key, value in limits.items()})
    values = {
        "kind": "predict",
        "competition": name,
        "slug": config.slug,
        "owner": "someone",
        "kernel": "someone/predict",
        "config": config.model_dump(mode="json"),
        "datasets": {"wheels": "someone/wheels", "checkpoints": "someone/checkpoints"},
    }
    (folder / "kernel").mkdir(parents=True)
    (folder / "packed.json").write_text(json.dumps(values))
    (folder / "kernel" / "predict.py").write_text(script)
    metadata = {"id": "someone/predict", "code_file": "predict.py", "kernel_type": "script"}
    (folder / "kernel" / "kernel-metadata.json").write_text(json.dumps(metadata))
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "dataset-metadata.json").write_text("{}")
    (folder / "checkpoints" / "baseline-fold0.pt").write_bytes(b"weights")
    return folder
