import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from common.data import mapped
from common.data.image import read_image
from common.data.mapped import open_picture
from common.data.windows import (
    Window,
    cut,
    inside,
    pad_mask,
    picture_of,
    read_window,
    window_grid,
    window_id,
)
from common.errors import KitError
from common.keys import IGNORE

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(0, 256, (37, 53, 3), dtype=np.uint8)
FORMATS = {
    "plain.tif": {},
    "one_row_per_strip.tif": {"tiffinfo": {278: 1}},
    "uneven_strips.tif": {"tiffinfo": {278: 10}},
    "lzw.tif": {"compression": "tiff_lzw"},
    "deflate.TIFF": {"compression": "tiff_adobe_deflate"},
    "picture.png": {},
    "picture.jpg": {"quality": 95},
}
PLAIN = [name for name in FORMATS if "compression" not in FORMATS[name] and ".tif" in name]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The picture in colour and in grey, in every format."""
    folder = tmp_path_factory.mktemp("windows")
    for name, options in FORMATS.items():
        Image.fromarray(COLOUR).save(folder / name, **options)
        Image.fromarray(COLOUR[..., 0]).save(folder / f"grey_{name}", **options)
    return folder


def reflected(image: np.ndarray, window: Window) -> np.ndarray:
    """The window by numpy's padding, which is slow and sure."""
    pad = max(window.height, window.width) + max(map(abs, window[:2]))
    whole = np.pad(image, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")
    top, left = window.top + pad, window.left + pad
    return whole[top : top + window.height, left : left + window.width]


@pytest.mark.parametrize("grey", ["", "grey_"])
@pytest.mark.parametrize("name", FORMATS)
def test_a_window_is_what_read_image_has_there(files, tmp_path, monkeypatch, name, grey):
    monkeypatch.setattr(mapped, "LARGE", 100)
    path = files / f"{grey}{name}"
    image = read_image(path)
    for folder in (None, tmp_path):
        for window in (Window(5, 7, 16, 20), Window(-9, 40, 30, 30), Window(0, 0, 37, 53)):
            part = read_window(path, *window, folder)
            assert part.dtype == np.uint8
            np.testing.assert_array_equal(part, reflected(image, window))
    assert bool(list(tmp_path.glob("*.npy"))) == (name not in PLAIN)


@pytest.mark.parametrize("name", PLAIN)
def test_uncompressed_striped_tiff_is_mapped_and_never_decoded(files, monkeypatch, name):
    monkeypatch.setattr(mapped, "_decoded", None)  # calling it would fail
    pixels = mapped.open_pixels(files / name, read_image)
    assert isinstance(pixels, np.memmap)
    np.testing.assert_array_equal(pixels, COLOUR)


def test_a_large_compressed_picture_is_decoded_once(files, tmp_path, monkeypatch):
    monkeypatch.setattr(mapped, "LARGE", 100)
    calls = []

    def decode(path):
        calls.append(path)
        return read_image(path)

    for _ in range(3):
        pixels = mapped.open_pixels(files / "picture.png", decode, tmp_path)
        assert isinstance(pixels, np.memmap)
    assert len(calls) == 1
    copy = next(tmp_path.glob("*.npy"))
    copy.write_bytes(copy.read_bytes()[:1000])  # cut off by a crash
    again = mapped.open_pixels(files / "picture.png", decode, tmp_path)
    np.testing.assert_array_equal(again, COLOUR)
    assert len(calls) == 2


def test_a_changed_file_gets_a_new_copy(tmp_path, monkeypatch):
    monkeypatch.setattr(mapped, "LARGE", 100)
    for value in (10, 200):
        Image.new("RGB", (40, 30 + value), (value,) * 3).save(tmp_path / "a.png")
        assert (open_picture(tmp_path / "a.png", tmp_path) == value).all()


def test_a_full_disk_warns_and_reading_goes_on(files, tmp_path, monkeypatch):
    monkeypatch.setattr(mapped, "LARGE", 100)
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="cannot write a copy"):
        pixels = open_picture(files / "picture.png", tmp_path / "file" / "folder")
    np.testing.assert_array_equal(pixels, COLOUR)


def test_alpha_is_dropped_and_16_bits_become_8(tmp_path):
    alpha = np.dstack([COLOUR, COLOUR[..., :1]])
    Image.fromarray(alpha).save(tmp_path / "alpha.tif")
    np.testing.assert_array_equal(read_window(tmp_path / "alpha.tif", 0, 0, 37, 53), COLOUR)
    grey = COLOUR[..., 0].astype(np.uint16) * 257
    Image.fromarray(grey).save(tmp_path / "deep.tif")
    expected = np.repeat(COLOUR[..., :1], 3, 2)
    np.testing.assert_array_equal(read_window(tmp_path / "deep.tif", 0, 0, 37, 53), expected)


def test_white_as_zero_and_one_bit_are_not_mapped(tmp_path):
    grey = Image.fromarray(COLOUR[..., 0])
    grey.save(tmp_path / "inverted.tif", tiffinfo={262: 0})
    Image.fromarray(COLOUR[..., 0] > 128).save(tmp_path / "bits.tif")
    for name in ("inverted.tif", "bits.tif"):
        expected = read_image(tmp_path / name)
        np.testing.assert_array_equal(read_window(tmp_path / name, 0, 0, 37, 53), expected)


def test_a_truncated_tiff_is_an_error(files, tmp_path):
    data = (files / "one_row_per_strip.tif").read_bytes()
    plain = (files / "plain.tif").read_bytes()
    for name, content in (("a.tif", plain[:-100]), ("b.tif", data[:500]), ("c.tif", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(KitError, match=name):
            read_window(tmp_path / name, 0, 0, 8, 8)
    with pytest.raises(KitError, match="No such file"):
        read_window(tmp_path / "none.tif", 0, 0, 8, 8)


@settings(max_examples=60, deadline=None)
@given(height=st.integers(1, 70), width=st.integers(1, 70), size=st.integers(1, 40))
def test_the_grid_covers_every_pixel_once(height: int, width: int, size: int) -> None:
    seen = np.zeros((height, width), int)
    for window in window_grid(height, width, size):
        assert window.height == window.width == size
        seen[window.top : window.top + size, window.left : window.left + size] += 1
        assert inside(seen, window)[0].size
    assert (seen == 1).all()


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    corner=st.tuples(st.integers(-12, 8), st.integers(-12, 8)),
    sides=st.tuples(st.integers(1, 30), st.integers(1, 30)),
)
def test_masks_are_padded_where_pictures_are_reflected(size, corner, sides) -> None:
    window = Window(*corner, *sides)
    image = np.arange(size[0] * size[1] * 3, dtype=np.uint8).reshape(*size, 3)
    if min(window.top + window.height, window.left + window.width) <= 0 or (
        window.top >= size[0] or window.left >= size[1]
    ):
        with pytest.raises(KitError, match="window that meets the picture"):
            cut(image, window)
        return
    mask = pad_mask(*inside(image[..., 0], window))
    picture = cut(image, window)
    np.testing.assert_array_equal(picture, reflected(image, window))
    assert mask.shape == sides
    np.testing.assert_array_equal(mask[mask != IGNORE], picture[..., 0][mask != IGNORE])
    rows = np.arange(window.height) + window.top
    columns = np.arange(window.width) + window.left
    outside = ((rows < 0) | (rows >= size[0]))[:, None] | ((columns < 0) | (columns >= size[1]))
    np.testing.assert_array_equal(mask == IGNORE, outside)


def test_ids_name_the_picture_and_the_place() -> None:
    assert window_id("austin1", Window(512, 1024, 64, 64)) == "austin1@512,1024"
    assert picture_of(window_id("a@b,c", Window(0, 3, 1, 1))) == "a@b,c"
