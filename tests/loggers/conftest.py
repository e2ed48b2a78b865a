"""What the tests of loggers share: pictures, a chart, and a reader for offline W&B runs."""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

BLOCK, FULL, FIRST, LAST = 32768, 1, 2, 4


class WandbRun:
    """What one offline run wrote: rows of its history, config, summary, axes, artifacts."""

    def __init__(self, folder: Path):
        from wandb.proto import wandb_internal_pb2

        self.folder = folder
        self.history, self.config, self.summary = [], {}, {}
        self.axes, self.artifacts, self.id, self.exit_code = {}, [], None, None
        self.manifests = []  # the name of each artifact, and the files in it
        for payload in _finished(folder):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(payload)
            self._take(record)
        assert self.exit_code is not None

    def column(self, name: str) -> list[tuple[float, object]]:
        """Return (global_step, value) of every row with that name."""
        return [(row["global_step"], row[name]) for row in self.history if name in row]

    def _take(self, record) -> None:
        kind = record.WhichOneof("record_type")
        if kind == "run":
            self.id = record.run.run_id
            self.config.update(_items(record.run.config.update))
        elif kind == "history":
            self.history.append(_items(record.history.item))
        elif kind in ("config", "summary"):
            getattr(self, kind).update(_items(getattr(record, kind).update))
        elif kind == "metric":
            self.axes[record.metric.name] = record.metric.step_metric
        elif kind == "artifact":
            self.artifacts.append((record.artifact.name, record.artifact.type))
            files = [entry.path for entry in record.artifact.manifest.contents]
            self.manifests.append((record.artifact.name, files))
        elif kind == "exit":
            self.exit_code = record.exit.exit_code


def _items(items) -> dict:
    """Return name -> value; a value of parts, such as a picture, comes under a nested key."""
    found: dict = {}
    for item in items:
        *outer, last = [item.key] if item.key else item.nested_key
        inner = found
        for key in outer:
            inner = inner.setdefault(key, {})
        inner[last] = json.loads(item.value_json)
    return found


def _finished(folder: Path) -> list[bytes]:
    """Wait for the end of the file: `finish` returns a little before the service has written it."""
    (file,) = folder.glob("run-*.wandb")
    size, deadline = -1, time.monotonic() + 20
    while size != file.stat().st_size or (size <= 7 and time.monotonic() < deadline):
        size = file.stat().st_size
        time.sleep(0.2)
    return list(_payloads(file.read_bytes()))


def _payloads(data: bytes) -> Iterator[bytes]:
    """Yield the records of a LevelDB log with a header of 7 bytes."""
    assert data[:4] == b":W&B"
    at, part = 7, b""
    while at + 7 <= len(data):
        left = BLOCK - at % BLOCK
        if left < 7:
            at += left
            continue
        _, size, kind = struct.unpack("<IHB", data[at : at + 7])
        if kind == 0:
            return
        chunk = data[at + 7 : at + 7 + size]
        at += 7 + size
        part = chunk if kind in (FULL, FIRST) else part + chunk
        if kind in (FULL, LAST):
            yield part


@pytest.fixture(scope="session")
def read_wandb():
    return WandbRun


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """A smooth (48, 64, 3) picture with red rising to the right, so that JPEG keeps it nearly."""
    image = np.full((48, 64, 3), 60, np.uint8)
    image[..., 0] = np.linspace(0, 255, 64).astype(np.uint8)
    return image


@pytest.fixture
def chart():
    from matplotlib.figure import Figure

    figure = Figure(figsize=(2, 1.5), dpi=100)
    figure.add_subplot().plot([0, 1], [1, 0])
    return figure
