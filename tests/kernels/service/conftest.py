"""A stand-in for Kaggle, an account that is none, a packed folder, and time that flies."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from common.kernels_folder import kernels
from common.runs import Run

from ...loggers.conftest import WandbRun
from .service_stub import serve
from .things import KEY, NAME, write_packed


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """Seconds that were slept, without sleeping them."""
    slept: list[float] = []
    clock = SimpleNamespace(monotonic=time.monotonic, sleep=slept.append)
    for module in ("asking", "fetch", "watch", "push"):
        monkeypatch.setattr(kernels(f"service.{module}"), "time", clock)
    return slept


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """No credentials, no settings, and a proxy that refuses: nothing real can be reached."""
    for name in ("USERNAME", "KEY", "API_TOKEN", "CONFIG_DIR", "ENABLE_OAUTH"):
        monkeypatch.delenv(f"KAGGLE_{name}", raising=False)
    for name in ("no_proxy", "NO_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("KIT_DATA", raising=False)
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    for name in ("HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return home


@pytest.fixture
def kaggle(offline, monkeypatch, waits):
    """The service that all requests reach, as the user "me"."""
    with serve() as service:
        monkeypatch.setenv("HTTP_PROXY", service.url)
        monkeypatch.setenv("KAGGLE_USERNAME", "me")
        monkeypatch.setenv("KAGGLE_KEY", KEY)
        yield service


@pytest.fixture
def read_wandb():
    """Read what an offline W&B run wrote."""
    return WandbRun


@pytest.fixture
def run(tmp_path, config) -> Run:
    """A run that has finished."""
    folder = tmp_path / "runs" / NAME / "baseline" / "fold0"
    folder.mkdir(parents=True)
    run = Run.create(folder, config.model_copy(update={"competition": NAME}))
    run.write_summary(status="finished", metrics={"valid/f1": 0.71}, best_epoch=3)
    return run


@pytest.fixture
def packed(tmp_path, run) -> Path:
    """What `kit kernel pack` leaves, with one data set of a checkpoint and one of a wheel."""
    folder = tmp_path / "runs" / NAME / "packed" / "predict"
    write_packed(folder, run.config, [run.name])
    return folder
