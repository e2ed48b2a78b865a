import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps
from sklearn.datasets import load_sample_image

from common.data import image as module
from common.data.image import decode_opencv, decode_simplejpeg, image_size, read_image
from common.data.jpeg import exif_orientation, read_header
from common.errors import KitError

PHOTO = cv2.resize(load_sample_image("china.jpg"), (160, 120), interpolation=cv2.INTER_AREA)
NOISE = np.random.default_rng(0).integers(0, 256, (24, 40, 3), dtype=np.uint8)


def save(path: Path, pixels: np.ndarray | Image.Image, **options) -> Path:
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    picture.save(path, **options)
    return path


def oriented(orientation: int, big_endian: bool = True) -> bytes:
    exif = Image.Exif()
    exif[0x010E] = "a tag before it"
    exif[0x0112] = orientation
    if not big_endian:
        exif.endian = "<"
    return exif.tobytes()


@pytest.mark.parametrize("size", [(120, 160), (119, 161), (37, 8), (8, 9), (1, 1)])
@pytest.mark.parametrize("subsampling", [0, 2])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("denominator", [1, 2, 4, 8])
def test_both_jpeg_decoders_agree_on_every_pixel(size, subsampling, progressive, denominator):
    file = io.BytesIO()
    options = {"subsampling": subsampling, "progressive": progressive, "quality": 90}
    save(file, cv2.resize(PHOTO, size[::-1]), format="JPEG", exif=oriented(6), **options)
    header = read_header(file.getvalue())
    fast = decode_simplejpeg(file.getvalue(), header, denominator)
    assert np.array_equal(fast, decode_opencv(file.getvalue(), header, denominator))
    assert fast.shape == (-(-size[0] // denominator), -(-size[1] // denominator), 3)


@pytest.mark.parametrize("decode", [decode_simplejpeg, decode_opencv])
def test_jpeg_is_what_pillow_decodes(decode, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "decode_jpeg", decode)
    for name, pixels in (("rgb", PHOTO), ("grey", PHOTO[..., 0])):
        path = save(tmp_path / f"{name}.jpg", pixels)
        expected = np.asarray(Image.open(path).convert("RGB"))
        assert np.abs(read_image(path).astype(int) - expected).max() <= 1


@pytest.mark.parametrize("min_side", [0, 1, 15, 16, 30, 31, 60, 61, 120, 121, 500])
@pytest.mark.parametrize("decode", [decode_simplejpeg, decode_opencv])
def test_reduced_decoding_keeps_min_side(min_side, decode, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "decode_jpeg", decode)
    path = save(tmp_path / "a.jpg", PHOTO)
    height, width, _ = read_image(path, min_side).shape
    assert height * 4 == width * 3
    assert height == 120 or height >= min_side
    assert min_side == 0 or height == 15 or height // 2 < min_side


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
def test_exif_orientation_as_pillow_shows_it(orientation, suffix, tmp_path):
    path = save(tmp_path / f"a.{suffix}", NOISE, exif=oriented(orientation), **lossless(suffix))
    shown = ImageOps.exif_transpose(Image.open(path)).convert("RGB")
    assert np.array_equal(read_image(path), np.asarray(shown))
    assert image_size(path) == shown.size[::-1]


def lossless(suffix: str) -> dict:
    return {"webp": {"lossless": True}, "jpg": {"quality": 100}}.get(suffix, {})


@pytest.mark.parametrize("orientation", [3, 6])
@pytest.mark.parametrize("min_side", [0, 60])
def test_orientation_is_the_same_in_the_fallback(orientation, min_side, tmp_path, monkeypatch):
    path = save(tmp_path / "a.jpg", PHOTO, exif=oriented(orientation))
    images = []
    for decode in (decode_simplejpeg, decode_opencv):
        monkeypatch.setattr(module, "decode_jpeg", decode)
        images.append(read_image(path, min_side))
    assert np.array_equal(*images)


@pytest.mark.parametrize("big_endian", [False, True])
def test_exif_parser_in_both_byte_orders_and_on_cut_blocks(big_endian):
    exif = oriented(6, big_endian)
    assert exif_orientation(exif) == 6
    assert all(exif_orientation(exif[:end]) in (1, 6) for end in range(len(exif)))
    assert exif_orientation(exif[:20]) == 1
    assert exif_orientation(oriented(99, big_endian)) == 1


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "gif"])
def test_other_formats_lossless(suffix, tmp_path):
    options = {"lossless": True} if suffix == "webp" else {}
    pixels = NOISE // 64 * 64 if suffix == "gif" else NOISE
    path = save(tmp_path / f"a.{suffix}", pixels, **options)
    assert np.array_equal(read_image(path), pixels)
    assert image_size(path) == (24, 40)


def test_grey_palette_bilevel_and_alpha_become_rgb(tmp_path):
    grey = read_image(save(tmp_path / "grey.png", NOISE[..., 0]))
    assert np.array_equal(grey, np.repeat(NOISE[..., :1], 3, axis=2))
    palette = Image.fromarray(NOISE).quantize(16)
    assert np.array_equal(
        read_image(save(tmp_path / "palette.png", palette)), np.asarray(palette.convert("RGB"))
    )
    alpha = np.dstack([NOISE, NOISE[..., 0]])
    assert np.array_equal(read_image(save(tmp_path / "alpha.png", alpha)), NOISE)
    bilevel = read_image(save(tmp_path / "bilevel.png", Image.fromarray(NOISE[..., 0] > 127)))
    assert np.array_equal(bilevel[..., 0], np.where(NOISE[..., 0] > 127, 255, 0))


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bit_is_divided_by_257(suffix, channels, tmp_path):
    stored = np.dstack([NOISE, NOISE[..., 0]])[..., :channels].squeeze().astype(np.uint16) * 257
    path = tmp_path / f"a.{suffix}"
    bgr = stored[..., [2, 1, 0, 3][:channels]] if channels > 1 else stored
    cv2.imwrite(str(path), bgr)
    expected = NOISE if channels > 1 else np.repeat(NOISE[..., :1], 3, axis=2)
    assert np.array_equal(read_image(path), expected)


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_cmyk_jpeg_is_what_pillow_shows(options, tmp_path):
    path = save(
        tmp_path / "cmyk.jpg", Image.fromarray(PHOTO).convert("CMYK"), quality=95, **options
    )
    image = read_image(path, min_side=16)
    assert np.array_equal(image, np.asarray(Image.open(path).convert("RGB")))
    assert np.abs(image.astype(int) - PHOTO).mean() < 8


@pytest.mark.parametrize("decode", [decode_simplejpeg, decode_opencv])
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "bmp"])
@pytest.mark.parametrize("share", [0.001, 0.3, 0.7, 0.98])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_truncated_files_are_refused_with_path_and_remedy(
    decode, suffix, share, tmp_path, monkeypatch
):
    monkeypatch.setattr(module, "decode_jpeg", decode)
    path = save(tmp_path / f"whole.{suffix}", PHOTO)
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(path.read_bytes()[: max(3, int(share * path.stat().st_size))])
    with pytest.raises(KitError, match=rf"cut\.{suffix}.*got .*; replace the file or leave"):
        read_image(cut)


def test_truncated_16_bit_png_is_refused(tmp_path):
    path = tmp_path / "deep.png"
    cv2.imwrite(str(path), NOISE.astype(np.uint16) * 257)
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(KitError, match=r"deep\.png.*truncated"):
        read_image(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"hello, this is no image", "not an image"),
        (b"\xff\xd8\xff\xe0", "truncated JPEG"),
        (b"<!DOCTYPE html><html>", "not an image"),
    ],
)
@pytest.mark.parametrize("function", [read_image, image_size])
def test_what_is_no_image_is_named(content, words, function, tmp_path):
    path = tmp_path / "odd.jpg"
    path.write_bytes(content)
    with pytest.raises(KitError, match=rf"expected an image at '.*odd\.jpg', got .*{words}"):
        function(path)


@pytest.mark.parametrize("function", [read_image, image_size])
def test_missing_file_and_folder_are_named(function, tmp_path):
    with pytest.raises(KitError, match=r"nowhere\.jpg', got No such file"):
        function(tmp_path / "nowhere.jpg")
    with pytest.raises(KitError, match="Is a directory"):
        function(tmp_path)


def test_lost_middle_is_refused_and_extraneous_bytes_only_warned_of(tmp_path):
    data = save(tmp_path / "a.jpg", PHOTO).read_bytes()
    (tmp_path / "hole.jpg").write_bytes(data[:2000] + data[3000:])
    with pytest.raises(KitError, match=r"hole\.jpg.*damaged JPEG"):
        read_image(tmp_path / "hole.jpg")
    (tmp_path / "extra.jpg").write_bytes(data[:-2] + b"\x11" * 40 + data[-2:])
    with pytest.warns(UserWarning, match=r"extra\.jpg.*extraneous"):
        image = read_image(tmp_path / "extra.jpg")
    assert np.array_equal(image, read_image(tmp_path / "a.jpg"))


def test_float_pixels_have_no_known_range(tmp_path):
    path = save(tmp_path / "float.tif", np.linspace(0, 1, 100, dtype=np.float32).reshape(10, 10))
    with pytest.raises(KitError, match=r"float\.tif.*float32"):
        read_image(path)


def test_image_size_behind_a_long_profile(tmp_path):
    path = save(tmp_path / "a.jpg", PHOTO, icc_profile=b"p" * 100_000, exif=oriented(8))
    assert image_size(path) == (160, 120)
    assert read_image(path).shape == (160, 120, 3)
