"""Work that a kernel leaves to a process per GPU of its machine: Kaggle's has two T4."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common.launch import run_in_processes

ANSWER = "answer.json"  # beside the file with the work


def gpus() -> int:
    """Return how many processes are to work; KIT_GPUS names another number."""
    import torch

    return int(os.environ.get("KIT_GPUS") or torch.cuda.device_count()) or 1


def work_in_processes(count: int, module: str, work: dict[str, Any]) -> Any:
    """Let a module's `do_ordered` do some work in so many processes; return the first one's answer.

    Args:
        module: name of one that is run as a program.
        work: plain values, as is the answer.

    Raises:
        SystemExit: as the first process that failed.
    """
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))  # they find what we find
    with TemporaryDirectory() as folder:
        order = Path(folder) / "work.json"
        order.write_text(json.dumps(work))
        run_in_processes(count, ["-m", module, str(order)])
        return json.loads(order.with_name(ANSWER).read_text())


def do_ordered(do: Callable[[dict[str, Any]], Any]) -> None:
    """Be one of these processes."""
    from common import distributed

    order = Path(sys.argv[1])
    with distributed.joined():
        answer = do(json.loads(order.read_text()))
        if distributed.is_first():
            order.with_name(ANSWER).write_text(json.dumps(answer))
