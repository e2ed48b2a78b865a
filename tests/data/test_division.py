"""Several processes read what one would: every sample once, batch for batch."""

import itertools

import numpy as np
import pytest
from torch.utils.data import Dataset

from common import distributed
from common.data.division import Shard
from common.data.loaders import EpochSampler, batch_size_of, make_loader, set_epoch
from common.distributed import World
from common.errors import KitError
from common.evaluation import Gather, gather_all
from common.keys import IMAGE, IMAGE_ID, INDEX, LOSS, PREDICTION, TARGET

from ..several import together

SIZES, WORLDS = range(1, 18), range(1, 5)


def batches(n: int, world: World, size: int, drop_last: bool, whole: bool) -> list[list[int]]:
    shard = Shard(world, size, drop_last, whole)
    places = shard.places(n).tolist()
    return [places[at : at + shard.own] for at in range(0, len(places), shard.own)]


def all_cases():
    return [(n, w, b) for n, w in itertools.product(SIZES, WORLDS) for b in range(w, 8)]


def test_parts_of_each_batch_are_the_batch():
    for n, count, size in all_cases():
        for drop_last in (False, True):
            one = batches(n, World(), size, drop_last, False)
            parts = [
                batches(n, World(rank, count), size, drop_last, False) for rank in range(count)
            ]
            joined = [
                [place for part in step for place in part]
                for step in itertools.zip_longest(*parts, fillvalue=[])
            ]
            assert joined == one
            if drop_last:  # nobody waits for a step that another does not make
                assert {len(part) for part in parts} == {n // size}


def test_whole_batches_are_dealt_in_turn():
    for n, count, size in [*all_cases(), (3, 4, 1), (2, 4, 2)]:
        one = batches(n, World(), size, False, True)
        dealt = [batches(n, World(rank, count), size, False, True) for rank in range(count)]
        assert [dealt[place % count][place // count] for place in range(len(one))] == one
        assert sum(map(len, dealt)) == len(one)


@pytest.mark.parametrize("weights", [None, np.arange(1.0, 24.0)])
def test_an_epoch_goes_on_in_another_world(weights):
    def order(count: int, start: int) -> list[list[int]]:
        found = []
        for rank in range(count):
            shard = Shard(World(rank, count), 6, True)
            sampler = EpochSampler(23, True, 5, weights, shard)
            sampler.set_epoch(3, start * shard.own)
            assert len(sampler) == (3 - start) * shard.own
            own = list(sampler)
            found.append([own[at : at + shard.own] for at in range(0, len(own), shard.own)])
        return [list(itertools.chain(*step)) for step in zip(*found, strict=True)]

    whole = order(1, 0)
    for count in (2, 3, 4):
        assert order(count, 0) == whole
        assert order(count, 1) == whole[1:]
        assert order(count, 3) == []


class Numbers(Dataset):
    def __init__(self, n: int) -> None:
        self.n = n

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> dict:
        image = np.full((1, 2, 2), index, np.uint8)
        target = np.int64(index % 3)
        said = {TARGET: target, PREDICTION: np.float32(index) / 7, LOSS: np.float32(index) ** 2}
        return {IMAGE: image, INDEX: index, IMAGE_ID: f"id{index}", **said}


def validate(n: int, size: int):
    loader = make_loader(Numbers(n), size, shuffle=False, seed=0, num_workers=0)
    set_epoch(loader, 0)
    gather = Gather(n)
    for batch in loader:
        gather.add(batch, {"a": batch[LOSS] / 2}, batch[LOSS])
    return gather_all(gather).columns


def sweep() -> list:
    with distributed.joined() as world:
        found = [validate(n, size) for n in SIZES for size in (world.size, 5)]
        nothing = distributed.gather(None if world.rank else "told")
        return [found, nothing, distributed.any_of(world.rank == 1), distributed.from_first(world)]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_every_process_has_the_whole_validation_and_nothing_twice(count):
    alone = {size: [validate(n, size) for n in SIZES] for size in (count, 5)}
    for found, told, any_one, first in together(count, sweep):
        assert told == ["told"] + [None] * (count - 1)
        assert any_one
        assert first == World(0, count)
        for place, columns in enumerate(found):
            n, size = SIZES[place // 2], (count, 5)[place % 2]
            want = alone[size][place // 2]
            assert columns[INDEX].tolist() == list(range(n))
            assert columns[IMAGE_ID] == want[IMAGE_ID]
            for name in (TARGET, PREDICTION, LOSS, f"{LOSS}/a"):
                np.testing.assert_array_equal(columns[name], want[name])


def refused() -> str:
    with distributed.joined():
        loader = make_loader(Numbers(9), 3, shuffle=True, seed=0, num_workers=0, drop_last=True)
        assert batch_size_of(loader) == 3
        with pytest.raises(KitError) as error:
            make_loader(Numbers(9), 1, shuffle=True, seed=0, num_workers=0)
        return str(error.value)


def test_a_batch_is_that_of_all_and_has_something_for_each():
    for text in together(2, refused):
        assert "for each of 2 processes, got train.batch_size=1" in text
    assert distributed.size() == 1  # of a process that nobody started with others
