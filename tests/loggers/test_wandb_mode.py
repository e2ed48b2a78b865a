import os
import socket

import pytest

from common.loggers.wandb_mode import choose_mode


@pytest.fixture(autouse=True)
def bare(monkeypatch, tmp_path):
    """No key, no setting, an empty home."""
    for key in [key for key in os.environ if key.startswith(("WANDB_", "KAGGLE_"))]:
        monkeypatch.delenv(key)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)


@pytest.fixture
def host():
    """The address of a server that accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def silent_host():
    """The address of a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def test_without_a_key_a_run_is_offline(host):
    assert choose_mode(host) == "offline"


def test_with_a_key_and_a_host_that_answers_it_is_online(host, monkeypatch, tmp_path):
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login user password " + "0" * 40)
    (tmp_path / ".netrc").chmod(0o600)
    assert choose_mode(host) == "online"
    (tmp_path / ".netrc").unlink()
    assert choose_mode(host) == "offline"
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert choose_mode(host) == "online"


def test_a_silent_host_means_offline_and_is_said(silent_host, monkeypatch, capsys):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    assert choose_mode(silent_host) == "offline"
    assert choose_mode(silent_host, "online") == "offline"
    assert capsys.readouterr().out.count("does not answer") == 2


def test_a_base_url_of_the_environment_is_the_one_that_is_tried(host, silent_host, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", host)
    assert choose_mode(silent_host) == "online"


def test_the_rerun_of_a_competition_is_offline(host, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setenv("KAGGLE_IS_COMPETITION_RERUN", "1")
    assert choose_mode(host) == "offline"


def test_what_is_asked_for_goes_before_the_environment(host, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert choose_mode(host) == "disabled"
    assert choose_mode(host, "offline") == "offline"
    assert choose_mode(host, "online") == "online"
