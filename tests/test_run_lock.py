"""Two processes, one run folder."""

import os
import signal

import pytest

from common.errors import KitError
from common.run_lock import LOCK, lock_run, unlock_run


def locking_child(folder) -> int:
    ready, tell = os.pipe()
    child = os.fork()
    if child == 0:
        lock_run(folder)
        if os.fork() == 0:  # a worker, which outlives its parent
            os.close(tell)
            os.close(ready)
            os.execvp("sleep", ["sleep", "20"])
        os.write(tell, b"x")
        signal.pause()
    os.read(ready, 1)
    os.close(ready)
    os.close(tell)
    return child


def test_the_second_process_is_told_who_is_first_and_kill_9_leaves_no_lock(tmp_path):
    child = locking_child(tmp_path)
    try:
        with pytest.raises(KitError, match=rf"alone in .*process {child} of .*--name"):
            lock_run(tmp_path)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    lock_run(tmp_path)
    assert f"process {os.getpid()} of" in (tmp_path / LOCK).read_text()
    lock_run(tmp_path)  # our own is no hindrance
    unlock_run(tmp_path)
    unlock_run(tmp_path)


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KitError, match=r"expected to write '.*run'.*--runs or KIT_RUNS"):
        lock_run(tmp_path / "file" / "run")
