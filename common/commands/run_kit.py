"""A command of the kit in a process of its own."""

import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence

GRACE = 300.0  # seconds in which a training that is told to stop saves what it has
LOOK = 0.5  # seconds between looks at the process


def run_kit(words: Sequence[str], environment: Mapping[str, str]) -> int:
    """Return the exit code of `kit` with these words.

    An error here, such as wandb throws into a thread to end it, has the command save and stop;
    Ctrl-C is ours alone.
    """
    command = [sys.executable, "-c", "from common.cli import main; main()", *words]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        while process.poll() is None:  # in steps, for nothing is thrown into a long wait
            try:
                process.wait(LOOK)
            except subprocess.TimeoutExpired:
                continue
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(GRACE)
            except subprocess.TimeoutExpired:
                process.kill()
    return process.returncode
