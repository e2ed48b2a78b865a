"""Rehearsals in this process: one fresh environment for all, with and without namespaces."""

from pathlib import Path

import pytest

from common.kernels_folder import kernels

from .rehearsals import KERNEL, NAME, write_data, write_packed

stage, sandbox = kernels("rehearsal.stage"), kernels("rehearsal.sandbox")


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    fresh = kernels("rehearsal.fresh_environment")
    folder = tmp_path_factory.mktemp("python") / "fresh"
    return fresh.make_environment(folder, fresh.choose_interpreter(), [])


@pytest.fixture(scope="session")
def able():
    return sandbox.Abilities.probe()


@pytest.fixture(params=["namespaces", "none"])
def doors(request, monkeypatch, able):
    """What the system allows: what this one does, or nothing."""
    if request.param == "none":
        able = sandbox.Abilities(network=False, mounts=False, memory=able.memory)
    elif not (able.network and able.mounts):
        pytest.skip("this system has no namespaces")
    monkeypatch.setattr(stage.Abilities, "probe", lambda: able)
    return request.param


@pytest.fixture
def seen(tmp_path, monkeypatch, environment):
    """Return a function that rehearses a kernel and gives what was seen."""
    monkeypatch.setattr(stage, "make_environment", lambda *_: environment)

    def run(
        script: str = KERNEL,
        hidden: int = 0,
        name: str = NAME,
        data: Path | None = None,
        longer: float = 0,
        **limits: float,
    ):
        monkeypatch.setattr(stage, "LONGER", longer)
        packed = write_packed(tmp_path / "packed", script, name, **limits)
        kernel = kernels("packing.packed").Packed.find(name, packed)
        data = data or write_data(tmp_path / "data")
        (tmp_path / "place").mkdir()
        return stage.run_both(kernel, data, tmp_path / "place", hidden)

    return run


@pytest.fixture
def answers(seen):
    """Return a function that rehearses a kernel and gives status and reason by answer."""

    def run(*arguments, **limits):
        rows = kernels("rehearsal.verdict").judge(seen(*arguments, **limits))
        return {row.answer: (row.status, row.reason) for row in rows}

    return run
