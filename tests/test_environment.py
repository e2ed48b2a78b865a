import random

import numpy as np
import pytest
import torch

from common.environment import data_dir, describe, hide_password, runs_dir, seed_everything
from common.errors import KitError, did_you_mean


def test_data_is_where_the_option_the_variable_or_the_habit_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("given", "all/birds", "own", "data/birds"):
        (tmp_path / folder).mkdir(parents=True)
    assert str(data_dir("birds")) == "data/birds"
    monkeypatch.setenv("KIT_DATA", "all")
    assert str(data_dir("birds")) == "all/birds"
    monkeypatch.setenv("KIT_DATA", "own")
    assert str(data_dir("birds")) == "own"
    assert data_dir("birds", tmp_path / "given") == tmp_path / "given"


def test_missing_data_says_how_to_get_it(tmp_path):
    with pytest.raises(KitError, match=r"--data DIR or KIT_DATA.*kit demo birds"):
        data_dir("birds", tmp_path / "nowhere")


def test_runs_go_where_they_are_sent(monkeypatch, tmp_path):
    monkeypatch.setenv("KIT_RUNS", str(tmp_path))
    assert runs_dir() == tmp_path


def test_one_seed_governs_every_generator():
    draws = []
    for _ in range(2):
        seed_everything(3)
        draws.append((random.random(), np.random.rand(), torch.rand(()).item()))  # noqa: NPY002
    assert draws[0] == draws[1]


def test_the_environment_is_described():
    known = describe()
    assert known["packages"]["torch"] == torch.__version__.split("+")[0]
    assert known["cpus"] > 0


def test_a_far_word_lists_what_is_known():
    assert did_you_mean("zzz", ["one", "two"]) == "known: one, two"


def test_an_address_keeps_its_password_to_itself():
    text = "kit sweep c --storage postgresql://me:word@host/db sqlite:////tmp/a@b.db"
    assert hide_password(text) == (
        "kit sweep c --storage postgresql://***@host/db sqlite:////tmp/a@b.db"
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://me:wo/rd@host/db", "postgresql://***@host/db"),
        ("mysql+pymysql://me:w@rd@host:3306/db x", "mysql+pymysql://***@host:3306/db x"),
        (
            "postgresql://host/db?user=me&password=word&a=1",
            "postgresql://host/db?user=me&password=***&a=1",
        ),
    ],
)
def test_no_part_of_a_password_is_left(text, shown):
    assert hide_password(text) == shown
