"""Keys are planted everywhere a person keeps them; nothing that a run writes may hold one."""

import json
import sys
import zlib

import pandas as pd
import pytest

from .conftest import SignalAt

KEYS = {
    "WANDB_API_KEY": "0123456789abcdef0123456789abcdef01234567",
    "KAGGLE_KEY": "fedcba9876543210fedcba9876543210",
    "KAGGLE_API_TOKEN": "KGAT_5ec2e75ec2e75ec2e75ec2e75ec2e7aa",
    "HF_TOKEN": "hf_planted5ec2e7planted5ec2e7",
}


@pytest.fixture
def planted(monkeypatch, tmp_path):
    """Put keys into the environment, the files of a home, and the command line."""
    home = tmp_path / "home"
    (home / ".kaggle").mkdir(parents=True)
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    login = f"machine api.wandb.ai login user password {KEYS['WANDB_API_KEY']}\n"
    (home / ".netrc").write_text(login)
    given = {"username": "someone", "key": KEYS["KAGGLE_KEY"]}
    (home / ".kaggle" / "kaggle.json").write_text(json.dumps(given))
    monkeypatch.setenv("HOME", str(home))
    words = ["kit", "train", "colours", f"note={KEYS['HF_TOKEN']}"]
    monkeypatch.setattr(sys, "argv", words)


def test_no_key_is_written_or_printed(config, train, planted, tmp_path, capfd):
    everything = {"log.loggers": ["wandb", "tensorboard", "local"], "log.looks": "all"}
    config = config.model_copy(update=everything)
    train(config, "secret", SignalAt(4))
    run = train(config, "secret", resume=True)
    assert run.status == "finished"
    captured = capfd.readouterr()
    written = {"output": (captured.out + captured.err).encode()}
    for path in tmp_path.rglob("*"):
        if path.is_file() and (tmp_path / "home") not in path.parents:
            written[str(path)] = readable(path)
    names = " ".join(written)
    for kind in ("last.pt", "report.html", ".wandb", "tfevents", "environment.json", "oof.parquet"):
        assert kind in names
    found = [(name, key) for name, data in written.items() for key in KEYS if holds(data, key)]
    assert found == []
    environment = json.loads((run.folder / "environment.json").read_text())
    assert environment["command"] == "kit train colours note=***"


def holds(data: bytes, name: str) -> bool:
    return KEYS[name].encode() in data


def readable(path) -> bytes:
    """Return a file's bytes, and what is compressed in them."""
    data = path.read_bytes()
    if path.suffix == ".parquet":
        return data + pd.read_parquet(path).to_csv().encode()
    if path.suffix == ".gz":
        return data + zlib.decompress(data, wbits=31)
    return data
