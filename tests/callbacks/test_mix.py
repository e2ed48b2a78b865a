import torch
from hypothesis import given
from hypothesis import strategies as st

from common.callbacks.mix import paste, shares


@given(st.floats(0, 1), st.integers(4, 20), st.integers(4, 20), st.integers(0, 1000))
def test_the_share_is_the_area_that_is_kept(share, height, width, seed):
    torch.manual_seed(seed)
    image = torch.stack([torch.zeros(3, height, width), torch.ones(3, height, width)]).byte()
    kept = image.clone()
    pasted, share = paste(image, torch.tensor([1, 0]), share)
    assert torch.equal(image, kept)
    assert abs(1 - pasted[0].float().mean().item() - share) < 1e-6
    assert abs(pasted[1].float().mean().item() - share) < 1e-6


def test_shares_are_one_hot_or_the_labels_themselves():
    assert shares(torch.tensor([2, 0]), 3).tolist() == [[0, 0, 1], [1, 0, 0]]
    assert shares(torch.tensor([[1, 1, 0]]), 3).tolist() == [[1, 1, 0]]
