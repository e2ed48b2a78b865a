"""Starts a command once for each GPU: what torchrun does, without its words."""

import os
import sys
import uuid

from common import session
from common.errors import KitError


def launched(gpus: int) -> bool:
    """Run this very command in so many processes, if that is asked for; tell whether it was.

    Each gets a GPU, or where there is none its share of the processor's cores. A command that
    torchrun started is one of them already.

    Args:
        gpus: 1: this process does it by itself; 0: as many as there are.

    Raises:
        KitError: there are fewer.
        SystemExit: as the first process that failed.
    """
    if gpus == 1 or "LOCAL_RANK" in os.environ:
        return False
    count = _count(gpus)
    if count == 1:
        return False
    run_in_processes(count, ["-m", "common", *sys.argv[1:]])
    return True


def run_in_processes(count: int, arguments: list[str]) -> None:
    """Run Python with these arguments in so many processes of this machine, and wait for them.

    Raises:
        SystemExit: as the first process that failed.
    """
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # torchrun's own parser would take some of our options for its own.
    here = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
    )
    os.environ["KIT_STARTED"] = str(session.STARTED)
    os.environ.setdefault("OMP_NUM_THREADS", str(max((os.cpu_count() or 1) // count, 1)))
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", "600")  # seconds to save in; if new
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # "find_unused_parameters might be slow"
    try:
        elastic_launch(here, entrypoint=sys.executable)("-u", *arguments)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        code = failure.exitcode
        sys.exit(code if code > 0 else 128 - code)
    except SignalException as error:
        sys.exit(128 + error.sigval)


def _count(gpus: int) -> int:
    import torch

    there = torch.cuda.device_count()
    if gpus and there and gpus > there and os.environ.get("KIT_BACKEND") != "gloo":
        raise KitError(f"expected at most {there} for --gpus, for there are no more, got {gpus}")
    return gpus or max(there, 1)
