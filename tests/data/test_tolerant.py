"""A loader for predictions yields what is whole as any loader does, and tells what is not."""

import numpy as np
import pytest
import torch
from torch.utils.data._utils.pin_memory import pin_memory

from common.data.loaders import make_loader
from common.data.tolerant import Batch, Broken, Tolerant, collate_whole, tolerant_loader
from common.keys import IMAGE, IMAGE_ID, INDEX


class Samples(torch.utils.data.Dataset):
    """Rows in `broken` raise; rows in `wide` are of another size."""

    def __init__(self, count: int, broken=(), wide=()) -> None:
        self.count, self.broken, self.wide = count, broken, wide

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> dict:
        if row in self.broken:
            raise ZeroDivisionError if row % 2 else RuntimeError(f"row {row}")
        image = torch.full((3, 4, 6 if row in self.wide else 4), row, dtype=torch.uint8)
        return {IMAGE: image, INDEX: row, IMAGE_ID: f"i{row}"}


@pytest.mark.parametrize("workers", [0, 2])
def test_of_whole_samples_it_is_the_same_loader(workers) -> None:
    plain = make_loader(Samples(7), 3, shuffle=False, seed=0, num_workers=0)
    for batch, expected in zip(tolerant_loader(Samples(7), 3, workers), plain, strict=True):
        (part,) = batch.parts
        assert batch.broken == []
        assert batch.rows == len(expected[IMAGE])
        assert part.keys() == expected.keys()
        assert torch.equal(part[IMAGE], expected[IMAGE])
        assert part[IMAGE_ID] == expected[IMAGE_ID]
        assert torch.equal(part[INDEX], expected[INDEX])


@pytest.mark.parametrize("workers", [0, 2])
def test_every_row_comes_once_whole_or_broken(workers) -> None:
    broken, wide = (0, 3, 4, 5, 9), (1, 2, 7)
    batches = list(tolerant_loader(Samples(10, broken, wide), 3, workers))
    assert [batch.rows for batch in batches] == [3, 3, 3, 1]
    assert batches[1].parts == []
    told = {row: error for batch in batches for row, error in batch.broken}
    assert told == {**dict.fromkeys((3, 5, 9), "ZeroDivisionError"), 0: "row 0", 4: "row 4"}
    for batch in batches:
        for part in batch.parts:
            assert len({row in wide for row in part[INDEX].tolist()}) == 1
            np.testing.assert_array_equal(part[IMAGE][:, 0, 0, 0], part[INDEX])
    rows = [row for batch in batches for part in batch.parts for row in part[INDEX].tolist()]
    assert sorted(rows + list(told)) == list(range(10))


def test_a_batch_can_be_pinned(monkeypatch) -> None:
    """As a loader does where there is a GPU."""
    pinned = []
    monkeypatch.setattr(
        torch.Tensor, "pin_memory", lambda tensor, *_: pinned.append(tensor) or tensor
    )
    tolerant = Tolerant(Samples(4, broken=(1,), wide=(2,)))
    batch = pin_memory(collate_whole([tolerant[row] for row in range(4)]))
    assert isinstance(batch, Batch)
    assert batch.broken == [Broken(1, "ZeroDivisionError")]
    assert batch.rows == 4
    assert len(pinned) == 2 * 2  # images and rows of two sizes
