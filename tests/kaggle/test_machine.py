import json
import sys
import time
import zipfile
from types import ModuleType

import pytest

from common.kaggle.machine import install_wheels, print_versions, read_secrets, write_account


def write_wheel(folder, name="tinything", tag="py3-none-any"):
    info = f"{name}-1.0.dist-info"
    with zipfile.ZipFile(folder / f"{name}-1.0-{tag}.whl", "w") as archive:
        archive.writestr(f"{name}.py", "answer = 42\n")
        archive.writestr(
            f"{info}/METADATA",
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\nRequires-Dist: not-there-at-all\n",
        )
        archive.writestr(
            f"{info}/WHEEL",
            f"Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: {tag}\n",
        )
        archive.writestr(f"{info}/RECORD", f"{name}.py,,\n")


@pytest.fixture
def path():
    before = [*sys.path]
    yield
    sys.path[:] = before


def test_what_is_lacking_is_installed_and_nothing_else(tmp_path, path):
    (tmp_path / "w").mkdir()
    write_wheel(tmp_path / "w")
    write_wheel(tmp_path / "w", "numpy")  # is there
    assert install_wheels(tmp_path / "w", tmp_path / "t") == ["tinything==1.0"]
    import tinything

    assert tinything.answer == 42
    assert not (tmp_path / "t" / "numpy.py").exists()


def test_a_wheel_for_another_python_is_said_and_left_out(tmp_path, path, capsys):
    (tmp_path / "w").mkdir()
    write_wheel(tmp_path / "w", "otherthing", "cp27-cp27m-win32")
    assert install_wheels(tmp_path / "w", tmp_path / "t") == []
    assert "cannot install otherthing" in capsys.readouterr().out


def test_secrets_come_from_kaggle_and_are_never_printed(monkeypatch, capsys):
    assert read_secrets() == []  # no Kaggle here

    class Client:
        def get_secret(self, name):
            if name != "WANDB_API_KEY":
                raise ConnectionError
            return "hush"

    module = ModuleType("kaggle_secrets")
    module.UserSecretsClient = Client
    monkeypatch.setitem(sys.modules, "kaggle_secrets", module)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("UNSET", "")
    assert read_secrets(("WANDB_API_KEY", "OTHER")) == ["WANDB_API_KEY"]
    assert "hush" not in capsys.readouterr().out
    monkeypatch.delenv("WANDB_API_KEY")


def test_an_account_of_time_and_memory(tmp_path):
    write_account(tmp_path, time.time() - 5, seconds={"start": 1.0}, images=3)
    account = json.loads((tmp_path / "kernel.json").read_text())
    assert account["seconds"]["start"] == 1
    assert 5 <= account["seconds"]["total"] < 60
    assert account["images"] == 3
    assert 0.01 < account["peak_memory_gb"] < 100


def test_versions_are_printed_without_importing_anything_large(capsys):
    print_versions({"kernel": "me/k", "made": "now", "git": "abc", "dirty": True})
    text = capsys.readouterr().out
    assert "me/k: made now from abc with uncommitted changes" in text
    assert "torch 2" in text
