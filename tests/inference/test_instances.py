import numpy as np
import pytest
from scipy import ndimage

from common.errors import KitError
from common.inference.instances import instances

RNG = np.random.default_rng(0)


def discs(*places: tuple[int, int, int]) -> np.ndarray:
    rows, columns = np.mgrid[:60, :80]
    return np.any([(rows - y) ** 2 + (columns - x) ** 2 <= r * r for y, x, r in places], axis=0)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 1.0])
def test_components_agree_with_scipy(share):
    mask = RNG.random((50, 70)) < share
    expected, count = ndimage.label(mask, np.ones((3, 3)))
    found = instances(mask)
    assert found.dtype == np.int32
    assert found.max(initial=0) == count
    pairs = set(zip(found.ravel().tolist(), expected.ravel().tolist(), strict=True))
    assert len(pairs) == count + (0 in expected)


@pytest.mark.parametrize("method", ["components", "watershed"])
def test_the_union_of_instances_is_the_mask(method):
    mask = ndimage.gaussian_filter(RNG.random((60, 80)), 3) > 0.5
    found = instances(mask, method=method)
    np.testing.assert_array_equal(found > 0, mask)
    assert set(np.unique(found)) == set(range(found.max() + 1))
    probs = np.where(mask, 0.6, 0.55).astype(np.float32)
    np.testing.assert_array_equal(instances(probs, threshold=0.58, method=method), found)


def test_a_watershed_parts_what_touches():
    two = discs((30, 25, 14), (30, 49, 14))
    assert instances(two).max() == 1
    parted = instances(two, method="watershed")
    assert parted.max() == 2
    assert parted[30, 20] != parted[30, 55]
    areas = np.bincount(parted.ravel())[1:]
    assert areas.min() > 0.9 * areas.max()
    apart = discs((15, 15, 8), (40, 60, 12))
    assert instances(apart, method="watershed").max() == 2


def test_an_object_cut_by_the_border_stays_one():
    assert instances(discs((30, -3, 20)), method="watershed").max() == 1
    assert instances(np.ones((40, 40), bool), method="watershed").max() == 1


def test_small_ones_become_background_and_numbers_close_up():
    mask = discs((10, 10, 2), (30, 40, 9), (50, 70, 1))
    found = instances(mask, min_area=50)
    assert found.max() == 1
    np.testing.assert_array_equal(found == 1, discs((30, 40, 9)))
    assert instances(mask, min_area=5).max() == 3
    assert instances(mask, min_area=6).max() == 2


@pytest.mark.parametrize("method", ["components", "watershed"])
def test_nothing_has_no_instance(method):
    assert not instances(np.zeros((9, 7), bool), method=method).any()


def test_what_does_not_fit_is_told():
    with pytest.raises(KitError, match=r"a mask \(H, W\), got \(2, 3, 3\)"):
        instances(np.zeros((2, 3, 3)))
    with pytest.raises(KitError, match="got 'flood'"):
        instances(np.zeros((3, 3), bool), method="flood")
