import numpy as np
import pytest

from common.errors import KitError
from common.figures.grid import (
    GAP,
    MIN_CELL,
    check_image,
    row_title,
    same_size,
    sample_grid,
    thumbnail,
)


def flat(height, width, colour=(200, 30, 30)):
    return np.full((height, width, 3), colour, np.uint8)


@pytest.mark.parametrize("shape", [(300, 200), (200, 300), (400, 3)])
def test_thumbnail_fits_and_keeps_its_proportions(shape):
    small = thumbnail(flat(*shape), 100)
    assert max(small.shape[:2]) == 100
    assert small.shape[0] == pytest.approx(100 * shape[0] / max(shape), abs=1)
    assert small.dtype == np.uint8
    assert np.abs(small.astype(int) - (200, 30, 30)).max() <= 1


def test_thumbnail_never_enlarges():
    image = flat(20, 30)
    assert thumbnail(image, 100) is image


def test_sheets_of_one_size_hold_every_pixel_of_their_pictures():
    images = [flat(20, 30), flat(31, 10, (0, 90, 0)), flat(5, 5)]
    pages = same_size(images)
    assert {page.shape for page in pages} == {(31, 30, 3)}
    for image, page in zip(images, pages, strict=True):
        inked = (page != 255).any(axis=2)
        assert inked.sum() == image.shape[0] * image.shape[1]
        np.testing.assert_array_equal(page[inked], image.reshape(-1, 3))


def test_every_image_of_a_grid_is_in_it_unchanged():
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (180, 200, 3), dtype=np.uint8) for _ in range(5)]
    page = sample_grid(images, [f"{i}.jpg | cat -> dog (0.{i}) | loss 1.23" for i in range(5)], 3)
    cell = (page.shape[0] - GAP) // 2
    for i, image in enumerate(images):
        bottom = GAP + i // 3 * cell + cell - GAP
        left = GAP + i % 3 * (200 + GAP)
        assert np.array_equal(page[bottom - 180 : bottom, left : left + 200], image)


def test_titles_are_written_each_over_its_own_image():
    images = [flat(180, 200, (128, 128, 128))] * 2
    page, blank = sample_grid(images, ["one", ""], 2), sample_grid(images, ["", ""], 2)
    empty_header = page[: page.shape[0] - 180 - GAP]
    middle = page.shape[1] // 2
    assert (empty_header[:, :middle] < 100).any()
    assert not (empty_header[:, middle:] < 100).any()
    assert (blank[:, :, 0] == 128).sum() == 2 * 180 * 200


def test_long_titles_stay_inside_their_cell():
    images = [flat(180, 180, (128, 128, 128))] * 2
    page = sample_grid(images, ["W" * 500 + " | " + "M" * 300 + " | c | d | e" * 9, ""], 2)
    header = page[: page.shape[0] - 180 - GAP]
    assert not (header[:, GAP + 180 + 2 :] < 100).any()


def test_tiny_images_are_enlarged_by_whole_pixels():
    tiny = np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)
    page = sample_grid([tiny], ["x"], 4)
    red = (page == (255, 0, 0)).all(axis=2).sum()
    assert red == (page == (0, 0, 255)).all(axis=2).sum() == (MIN_CELL // 2) ** 2


def test_a_grid_needs_a_title_per_image():
    with pytest.raises(KitError, match="got 1 images and 2 titles"):
        sample_grid([flat(9, 9)], ["a", "b"], 2)
    with pytest.raises(KitError, match="at least one"):
        sample_grid([], [], 2)


@pytest.mark.parametrize(
    "bad",
    [np.zeros((8, 8, 3)), np.zeros((8, 8), np.uint8), np.zeros((3, 8, 8), np.uint8), None],
)
def test_images_that_would_come_out_wrong_are_refused(bad):
    with pytest.raises(KitError, match=r"expected picture as \(H, W, 3\) uint8"):
        check_image(bad, "picture")


def test_row_title_leaves_pictures_out():
    row = {"id": "a", "image": flat(2, 2), "loss": np.float32(1.23456), "note": None}
    assert row_title(row) == "id a | loss 1.235 | note "
