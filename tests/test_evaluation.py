import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from common.errors import KitError
from common.evaluation import Evaluation, Gather
from common.keys import IMAGE_ID, INDEX, LOSS, PREDICTION, TARGET


def batch(index: list[int], boxes: bool = False) -> dict:
    rows = torch.tensor(index)
    prediction = [np.ones((i % 3, 4)) for i in index] if boxes else torch.stack([rows, -rows], 1)
    ids = [f"id{i}" for i in index]
    return {INDEX: rows, IMAGE_ID: ids, TARGET: rows % 3, PREDICTION: prediction}


def gather(batches: list[list[int]], size: int, boxes: bool = False) -> Evaluation:
    collected = Gather(size)
    for index in batches:
        loss = torch.tensor(index, dtype=torch.float32)
        collected.add(batch(index, boxes), {"term": loss * 2}, loss)
    return collected.evaluation()


@given(st.permutations(range(11)), st.integers(1, 11))
def test_neither_batch_size_nor_order_changes_what_is_gathered(order, size):
    batches = [list(order[start : start + size]) for start in range(0, 11, size)]
    evaluation = gather(batches, 11)
    assert evaluation[INDEX].tolist() == list(range(11))
    assert evaluation[IMAGE_ID] == [f"id{i}" for i in range(11)]
    assert evaluation[LOSS].tolist() == list(range(11))
    assert evaluation[f"{LOSS}/term"].tolist() == [2 * i for i in range(11)]
    assert evaluation[PREDICTION][:, 1].tolist() == [-i for i in range(11)]


@given(st.integers(1, 20), st.integers(2, 5))
def test_processes_merge_without_the_padded_duplicates(n, processes):
    # As a distributed sampler deals: round robin, padded with the first samples to equal shares.
    padded = [i % n for i in range(-(-n // processes) * processes)]
    parts = [gather([padded[rank::processes]], n) for rank in range(processes)]
    merged = Evaluation.merge(parts)
    assert merged[INDEX].tolist() == list(range(n))
    assert merged[LOSS].tolist() == list(range(n))
    assert merged[IMAGE_ID] == [f"id{i}" for i in range(n)]


def test_ragged_predictions_stay_with_their_samples():
    evaluation = gather([[4, 0], [2, 1, 3]], 5, boxes=True)
    assert [len(boxes) for boxes in evaluation[PREDICTION]] == [0, 1, 2, 0, 1]


def test_the_worst_come_first_and_nan_is_worst():
    evaluation = gather([[0, 1, 2, 3]], 4)
    evaluation.columns[LOSS] = np.array([0.5, np.nan, 2.0, 0.5])
    assert evaluation.ranked().tolist() == [1, 2, 0, 3]
    assert evaluation.ranked(worst=False).tolist() == [0, 3, 2, 1]


def test_memory_grows_only_with_samples_and_outputs():
    assert gather([[0, 1]], 2).bytes_per_sample == gather([list(range(50))], 50).bytes_per_sample


def test_nothing_gathered_is_an_error():
    with pytest.raises(KitError, match="got none"):
        Gather(3).evaluation()
