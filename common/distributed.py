"""Several processes that train or predict as one: who each is, and how they agree.

A process that was started alone is the first of one: nothing here costs it anything, not even the
import of torch. `joined` makes the processes that torchrun started one world; all else asks it.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from common.errors import KitError

T = TypeVar("T")
PATIENCE = timedelta(hours=2)  # that one waits for another: pictures and saving are the first's
# alone. Whoever dies is noticed at once all the same, by torchrun.


LOST = ("closed by peer", "Connection reset", "NCCL communicator was aborted")


class World(NamedTuple):
    """Which of how many processes this one is."""

    rank: int = 0
    size: int = 1


_world = World()
_control: Any = None  # group of the host's messages, so that no GPU waits for them
_own: Any = None  # group of this process alone


def rank() -> int:
    """Return which process this is; the first, 0, writes and logs for all."""
    return _world.rank


def size() -> int:
    """Return how many processes work together, 1 for one that was started alone."""
    return _world.size


def is_first() -> bool:
    """Return whether this process writes and logs."""
    return _world.rank == 0


@contextmanager
def joined() -> Iterator[World]:
    """Within, the processes that torchrun started are one world; the first alone prints.

    A process that was not started by it, or that has joined already, goes on as it is.

    Raises:
        KitError: there are fewer GPUs than processes.
    """
    global _world, _control, _own
    wanted = int(os.environ.get("WORLD_SIZE", "1"))
    if wanted == 1 or "LOCAL_RANK" not in os.environ or _world.size > 1:
        yield _world
        return
    import torch.distributed as dist

    dist.init_process_group(_backend(), timeout=PATIENCE)
    _control = dist.new_group(backend="gloo", timeout=PATIENCE)
    _own, _ = dist.new_subgroups(group_size=1)
    _world = World(dist.get_rank(), dist.get_world_size())
    try:
        with _silent() if _world.rank else nullcontext():
            yield _world
        dist.barrier(group=_control)
    except RuntimeError as error:
        if is_lost(error):
            raise lost() from error
        raise
    finally:
        _world, _control, _own = World(), None, None
    dist.destroy_process_group()  # not after an error: another one may wait, and be waited for


def is_lost(error: Exception) -> bool:
    """Return whether the error says that another process ended while this one waited for it."""
    return _world.size > 1 and any(word in str(error) for word in LOST)


def lost(kept: str = "") -> KitError:
    """Return the line for it; what ended the other one is said by that."""
    return KitError(
        f"expected all {_world.size} processes to live, got one that ended (it says why itself)"
        + (f"; {kept}" if kept else "")
    )


def gather(value: T) -> list[T]:
    """Return what every process has, in their order."""
    if _world.size == 1:
        return [value]
    import torch.distributed as dist

    found: list[Any] = [None] * _world.size
    dist.all_gather_object(found, value, group=_control)
    return found


def from_first(value: T) -> T:
    """Return what the first process has; the value of all others counts for nothing."""
    if _world.size == 1:
        return value
    import torch.distributed as dist

    told = [value if is_first() else None]
    dist.broadcast_object_list(told, src=0, group=_control)
    return told[0]  # type: ignore[return-value]


def follow_first(own: Iterator[T]) -> Iterator[T]:
    """Yield in every process what the first one's iterator yields; no other one's is begun."""
    if _world.size == 1:
        yield from own
        return
    while (one := from_first(next(own, None) if is_first() else None)) is not None:
        yield one


def any_of(flag: bool) -> bool:
    """Return whether it is so in any process; the host alone is asked."""
    if _world.size == 1:
        return flag
    import torch
    import torch.distributed as dist

    told = torch.tensor(int(flag))
    dist.all_reduce(told, dist.ReduceOp.MAX, group=_control)
    return bool(told)


def add_up(tensor: Any) -> Any:
    """Return the sum of every process's tensor, in its place; on a GPU nothing waits for it."""
    if _world.size > 1:
        import torch.distributed as dist

        dist.all_reduce(tensor)
    return tensor


def mean(values: Any) -> Any:
    """Return the mean of a tensor `(N,)` over all processes, whatever each one's N."""
    if _world.size == 1:
        return values.mean()
    import torch

    total, count = add_up(torch.stack([values.sum(), values.new_tensor(len(values))]))
    return total / count


def add_up_array(array: Any) -> Any:
    """Return the sum of every process's numpy array, in its place."""
    if _world.size > 1:
        import torch
        import torch.distributed as dist

        dist.all_reduce(torch.from_numpy(array), group=_control)
    return array


def in_turns(own: Iterator[T], count: int) -> Iterator[T]:
    """Yield what all processes make, one of each in turn, in all of them; `count` things in all."""
    if _world.size == 1:
        yield from own
        return
    for _ in range(-(-count // _world.size)):
        yield from (one for one in gather(next(own, None)) if one is not None)


def copy_from_first(tensors: Any) -> None:
    """Give tensors the values that they have in the first process."""
    if _world.size > 1:
        import torch.distributed as dist

        for tensor in tensors:
            dist.broadcast(tensor, src=0)


@contextmanager
def alone() -> Iterator[Any]:
    """Within, this process asks and waits for nobody; give torch's group of it alone."""
    global _world
    before, _world = _world, World()
    try:
        yield _own
    finally:
        _world = before


def part(count: int, of: World | None = None) -> tuple[int, int]:
    """Return start and end of this process's part of `count` things that follow one another.

    The parts of all are whole together, none overlaps, and their sizes differ by one at most.
    """
    rank, size = of or _world
    return count * rank // size, count * (rank + 1) // size


def _backend() -> str:
    """Return how the processes talk, with the GPU of this one made the present one."""
    import torch

    named, place = os.environ.get("KIT_BACKEND", ""), int(os.environ["LOCAL_RANK"])
    if not torch.cuda.is_available():
        return named or "gloo"
    count = torch.cuda.device_count()
    if place >= count and named != "gloo":
        raise KitError(
            f"expected a GPU for each process, got {count} for process {place + 1} of this "
            f"machine; start {count}"
        )
    torch.cuda.set_device(place % count)
    return named or "nccl"


@contextmanager
def _silent() -> Iterator[None]:
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        yield
