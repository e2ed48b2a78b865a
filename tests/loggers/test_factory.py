import subprocess
import sys

import pytest

from common.errors import KitError
from common.loggers.factory import make_loggers
from common.loggers.run_files import read_metrics

TITLES = {"project": "p", "name": "n", "group": "g"}


def test_no_names_make_no_files(tmp_path):
    fan = make_loggers([], tmp_path, **TITLES)
    fan.scalars({"a": 1}, global_step=1, epoch=1)
    assert not fan.loggers
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_name_gets_the_nearest_known_one(tmp_path):
    with pytest.raises(KitError, match=r"got 'tensorbord'; did you mean 'tensorboard'\?"):
        make_loggers(["local", "tensorbord"], tmp_path, **TITLES)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_s_state_brings_every_logger_back_to_its_place(tmp_path):
    first = make_loggers(["local", "local"], tmp_path, strict=True, **TITLES)
    first.scalars({"a": 1}, global_step=1, epoch=1)
    state = first.state()
    first.scalars({"a": 2}, global_step=2, epoch=1)
    first.finish()
    second = make_loggers(["local"], tmp_path, state=state, strict=True, **TITLES)
    second.finish()
    assert [row["a"] for row in read_metrics(tmp_path)] == [1]


def test_a_logger_that_cannot_be_opened_is_left_out_unless_strict(tmp_path, capsys):
    (tmp_path / "metrics.jsonl").mkdir()
    fan = make_loggers(["local"], tmp_path, **TITLES)
    assert not fan.loggers
    assert "logger 'local' could not be opened: IsADirectoryError" in capsys.readouterr().err
    with pytest.raises(IsADirectoryError):
        make_loggers(["local"], tmp_path, strict=True, **TITLES)


def test_local_files_need_neither_wandb_nor_torch(tmp_path):
    code = (
        "import sys; from pathlib import Path; from common.loggers.factory import make_loggers;"
        "make_loggers(['local'], Path(sys.argv[1]), project='p', name='n', group='g').finish();"
        "print(sorted({'wandb', 'torch', 'tensorboard', 'matplotlib.pyplot'} & sys.modules.keys()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
