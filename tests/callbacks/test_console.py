"""What is printed while training: on a terminal, in a log, in a notebook."""

import os
import pty
import re
import subprocess
import sys
import types

import pytest
import torch

from common.callbacks import screens
from common.callbacks.console import Console, bar, pace, span
from common.callbacks.record import Record
from common.callbacks.screens import Notebook, Plain, Terminal, find_screen
from common.data.build import fold_loaders
from common.learners.classification import make_learner
from common.loggers.recording import RecordingLogger
from common.models.classifier import make_classifier


class Clock:
    """Time that passes by the same amount whenever it is asked for."""

    def __init__(self, step: float) -> None:
        self.time, self.step = 0.0, step

    def __call__(self) -> float:
        self.time += self.step
        return self.time


class Shown:
    """A screen that remembers."""

    def __init__(self, every: float) -> None:
        self.every, self.lines = every, []

    def show(self, line: str) -> None:
        self.lines.append(line)

    def wipe(self) -> None:
        self.lines.append("")


@pytest.fixture
def train(config, colours):
    """Return a function that trains two epochs of 3 and 2 batches with a console."""

    def run(console: Console) -> None:
        torch.manual_seed(0)
        loaders = fold_loaders(colours, 0, config)
        learner = make_learner(make_classifier(config), *loaders, [], config)
        learner.add_cbs([Record(RecordingLogger(), 10), console])
        learner.fit(2, 1e-3)

    return run


def test_a_plain_log_has_a_line_per_epoch_and_nothing_that_moves(train, capsys):
    train(Console(Plain()))
    printed = capsys.readouterr().out
    assert "\r" not in printed
    assert "\033" not in printed
    head, first, second = printed.splitlines()
    assert head.split()[:3] == ["epoch", "train/loss_epoch", "loss"]
    assert (first.split()[0], second.split()[0]) == ("1", "2")
    assert len(first) == len(second) == len(head)


@pytest.mark.parametrize(("step", "lines"), [(25.0, 6), (70.0, 10), (1.0, 0)])
def test_a_long_epoch_says_at_most_once_a_minute_that_it_lives(train, capsys, step, lines):
    clock = Clock(step)
    train(Console(Plain(), clock))
    said = [line for line in capsys.readouterr().out.splitlines() if "left" in line]
    assert len(said) <= min(lines, clock.time / 60)
    assert bool(said) == (lines > 0)


def test_progress_tells_where_it_is_how_fast_and_how_long_it_takes(train):
    shown = Shown(every=0.0)
    train(Console(shown, Clock(2.0)))
    lines = [line for line in shown.lines if line]
    assert len(lines) == 2 * (3 + 2)
    assert lines[0] == "epoch 1/2 train #######............. 1/3, 2.0 s/batch, 4 s left"
    assert lines[2].startswith("epoch 1/2 train #################### 3/3")
    assert lines[2].endswith("0 s left")
    assert lines[3].startswith("epoch 1/2 valid ##########.......... 1/2")
    assert lines[-1].startswith("epoch 2/2 valid")
    assert shown.lines[5] == ""  # taken away before the epoch's line


def test_a_terminal_shows_one_line_that_fits_and_leaves_only_epochs():
    """A child on a pseudo-terminal of 60 columns, as a person would start it."""
    child = (
        "from common.callbacks.screens import find_screen\n"
        "screen = find_screen()\n"
        "print(type(screen).__name__)\n"
        "for n in range(50): screen.show(f'step {n} ' + 'x' * 200)\n"
        "screen.wipe(); print('epoch 1 done')\n"
    )
    leader, follower = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in ("JPY_PARENT_PID", "TERM")}
    environment |= {"COLUMNS": "60", "TERM": "xterm"}
    options = {"stdout": follower, "stderr": follower, "stdin": follower, "env": environment}
    with subprocess.Popen([sys.executable, "-c", child], **options) as process:
        os.close(follower)
        printed = _drain(leader)
        assert process.wait(60) == 0
    assert printed.startswith("Terminal\r\n")
    states = re.findall(r"\r\033\[K([^\r\n]*)", printed)
    assert len(states) == 51
    assert all(len(state) <= 59 for state in states[:-1])
    assert printed.count("\n") == 2  # nothing wrapped, so nothing is left behind
    assert printed.endswith("epoch 1 done\r\n")


def _drain(leader: int) -> str:
    received = b""
    while True:
        try:
            data = os.read(leader, 65536)
        except OSError:  # Linux says so when the last writer is gone
            data = b""
        if not data:
            os.close(leader)
            return received.decode()
        received += data


@pytest.fixture
def bare(monkeypatch):
    """No notebook, no Kaggle, a capable terminal."""
    monkeypatch.setattr(screens, "_in_kernel", lambda: False)
    for name in ("JPY_PARENT_PID", "KAGGLE_KERNEL_RUN_TYPE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return monkeypatch


@pytest.mark.parametrize(
    ("tty", "kernel", "settings", "screen"),
    [
        (True, False, {}, Terminal),
        (False, False, {}, Plain),
        (True, False, {"TERM": "dumb"}, Plain),
        (True, False, {"JPY_PARENT_PID": "7"}, Plain),  # !kit train in a cell
        (False, True, {}, Notebook),
        (False, True, {"KAGGLE_KERNEL_RUN_TYPE": "Interactive"}, Notebook),
        (False, True, {"KAGGLE_KERNEL_RUN_TYPE": "Batch"}, Plain),
    ],
)
def test_the_screen_fits_where_it_is_shown(bare, tty, kernel, settings, screen):
    bare.setattr(screens.sys, "stdout", types.SimpleNamespace(isatty=lambda: tty))
    bare.setattr(screens, "_in_kernel", lambda: kernel)
    for name, value in settings.items():
        bare.setenv(name, value)
    assert type(find_screen()) is screen


@pytest.fixture
def shell():
    """IPython's own shell, gone afterwards."""
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    yield InteractiveShell.instance(config=Config({"HistoryManager": {"enabled": False}}))
    InteractiveShell.clear_instance()


def test_a_notebook_keeps_one_output_however_often_it_changes(train, capsys, shell):
    sent = []
    shell.display_pub.publish = lambda data, *args, transient=None, update=False, **kwargs: (
        sent.append((data["text/plain"], (transient or {}).get("display_id"), update))
    )
    screen = Notebook()
    screen.every = 0.0
    train(Console(screen))
    assert len(sent) >= 10
    assert [update for _, _, update in sent] == [False] + [True] * (len(sent) - 1)
    assert len({place for _, place, _ in sent}) == 1
    assert sent[-1][0] == ""  # what stays is the lines of the epochs
    assert "\r" not in capsys.readouterr().out


def test_numbers_for_people():
    assert [span(s) for s in (0.4, 59, 187, 8100)] == ["0 s", "59 s", "3:07 min", "2:15 h"]
    assert [pace(r) for r in (12.34, 0.25)] == ["12.3 batches/s", "4.0 s/batch"]
    assert bar(0.0) == "." * 20
    assert bar(1.2) == "#" * 20
