"""A zip of written masks has no finding; every way of breaking it is found, under its name."""

import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from common.errors import KitError
from common.submission.masks import check_mask_zip, write_mask_tiff, zip_masks

SIZES = {"austin1.tif": (40, 50), "austin2.tif": (40, 50), "vienna1.tif": (33, 47)}
MASKS = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=20))


def draw(size: tuple[int, int], seed: int = 0) -> np.ndarray:
    smooth = cv2.GaussianBlur(np.random.default_rng(seed).random(size), (0, 0), 3)
    return smooth > np.median(smooth)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, bytes]:
    """The bytes of valid files by name."""
    folder = tmp_path / "masks"
    for seed, (name, size) in enumerate(SIZES.items()):
        write_mask_tiff(folder / name, draw(size, seed))
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def pack(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def tiff(image: np.ndarray, format: str = "TIFF", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, format, **options)
    return file.getvalue()


@settings(max_examples=60, deadline=None)
@given(
    mask=MASKS, dtype=st.sampled_from(["bool", "uint8", "int64"]), scale=st.sampled_from([1, 255])
)
@pytest.mark.parametrize("compression", ["ccitt", "deflate"])
def test_two_readers_give_back_what_was_written(compression, mask, dtype, scale, tmp_path_factory):
    stored = mask if dtype == "bool" else mask.astype(dtype) * scale
    path = write_mask_tiff(tmp_path_factory.getbasetemp() / "mask.tif", stored, compression)
    expected = mask.astype(np.uint8) * 255
    with Image.open(path) as image:
        assert image.mode == ("1" if compression == "ccitt" else "L")
        assert (image.tag_v2[258], image.tag_v2[259]) == (((1,), 4), ((8,), 8))[image.mode == "L"]
        np.testing.assert_array_equal(np.asarray(image.convert("L")), expected)
    np.testing.assert_array_equal(cv2.imread(str(path), cv2.IMREAD_UNCHANGED), expected)


def test_group_4_is_much_smaller_than_the_pixels(tmp_path: Path) -> None:
    path = write_mask_tiff(tmp_path / "mask.tif", draw((1000, 1000)))
    assert path.stat().st_size < 1000 * 1000 / 20


@pytest.mark.parametrize("compression", ["ccitt", "deflate"])
def test_written_and_zipped_masks_are_valid(compression, tmp_path: Path) -> None:
    for seed, (name, size) in enumerate(SIZES.items()):
        write_mask_tiff(tmp_path / "masks" / name, draw(size, seed), compression)
    (tmp_path / "masks" / "notes.txt").write_text("left out")
    path = zip_masks(tmp_path / "masks", tmp_path / "out" / "submission.zip")
    assert check_mask_zip(path, SIZES) == []
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == sorted(SIZES)
    first = path.read_bytes()
    assert zip_masks(tmp_path / "masks", path).read_bytes() == first
    assert list(path.parent.iterdir()) == [path]


Change = Callable[[dict[str, bytes]], dict[str, bytes]]
NAME = "austin2.tif"
MASK = draw(SIZES[NAME], 1).astype(np.uint8) * 255


def with_file(data: bytes) -> Change:
    return lambda files: {**files, NAME: data}


CORRUPTIONS: dict[str, tuple[Change, str]] = {
    "missing": (
        lambda files: {name: data for name, data in files.items() if name != NAME},
        "expected a file 'austin2.tif', got none: it is missing; predict every image",
    ),
    "extra": (
        lambda files: {**files, "sfo1.tif": files[NAME]},
        "got the extra file 'sfo1.tif'; leave it out",
    ),
    "size": (with_file(tiff(MASK[:, :-1])), "austin2.tif: expected 40 x 50, got 40 x 49; resize"),
    "turned": (with_file(tiff(MASK.T)), "austin2.tif: expected 40 x 50, got 50 x 40"),
    "0 and 1": (with_file(tiff(MASK // 255)), "expected 0 and 255, got 2 values up to 1"),
    "grey": (with_file(tiff(MASK // 2)), "expected 0 and 255, got 2 values up to 127"),
    "rgb": (with_file(tiff(np.dstack([MASK] * 3))), "expected one channel, got channels RGB"),
    "rgba": (with_file(tiff(np.dstack([MASK] * 4))), "expected one channel, got channels RGBA"),
    "palette": (
        lambda files: {**files, NAME: palette()},
        "expected one channel, got a palette",
    ),
    "16 bit": (with_file(tiff(MASK.astype(np.uint16))), "expected 1 or 8 bits, got mode I;16"),
    "float": (with_file(tiff(MASK.astype(np.float32))), "expected 1 or 8 bits, got mode F"),
    "png": (with_file(tiff(MASK, "PNG")), "austin2.tif: expected a TIFF, got PNG"),
    "pages": (
        with_file(tiff(MASK, save_all=True, append_images=[Image.fromarray(MASK)])),
        "expected one page, got 2",
    ),
    "cut off": (
        lambda files: {**files, NAME: tiff(MASK)[:700]},
        "austin2.tif: expected a TIFF that can be read",
    ),
    "header only": (with_file(b"II*\0"), "austin2.tif: expected a TIFF that can be read"),
    "text": (with_file(b"not an image"), "got another format or a broken header: damaged"),
    "empty": (with_file(b""), "austin2.tif: expected a TIFF that can be read"),
}


def palette() -> bytes:
    file = io.BytesIO()
    Image.fromarray(MASK).convert("P").save(file, "TIFF")
    return file.getvalue()


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_each_corruption_is_the_only_finding(kind: str, files, tmp_path: Path) -> None:
    change, message = CORRUPTIONS[kind]
    (finding,) = check_mask_zip(pack(tmp_path / "submission.zip", change(files)), SIZES)
    assert finding.severity == "error"
    assert message in str(finding)


def test_names_that_are_nearly_right_get_a_hint(files, tmp_path: Path) -> None:
    hints = {
        f"masks/{NAME}": "expected 'austin2.tif' at the top of the zip, got 'masks/austin2.tif'",
        "austin2.png": "name it 'austin2.tif'",
        "Austin2.TIF": "name it 'austin2.tif'",
    }
    for wrong, hint in hints.items():
        renamed = {wrong if name == NAME else name: data for name, data in files.items()}
        missing, extra = check_mask_zip(pack(tmp_path / "submission.zip", renamed), SIZES)
        assert "it is missing" in missing.message
        assert hint in extra.message


def test_a_name_that_is_there_twice_is_told(files, tmp_path: Path) -> None:
    path = pack(tmp_path / "submission.zip", files)
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(NAME, files[NAME])
    (finding,) = check_mask_zip(path, SIZES)
    assert "expected 'austin2.tif' once, got a duplicate" in finding.message


def test_a_flipped_byte_is_found_by_the_sum(files, tmp_path: Path) -> None:
    path = pack(tmp_path / "submission.zip", files)
    data = bytearray(path.read_bytes())
    data[data.index(files[NAME]) + 20] ^= 255
    path.write_bytes(data)
    (finding,) = check_mask_zip(path, SIZES)
    assert "austin2.tif: expected a TIFF that can be read, got Bad CRC-32" in finding.message


def test_what_is_no_zip_is_one_finding(files, tmp_path: Path) -> None:
    path = pack(tmp_path / "submission.zip", files)
    path.write_bytes(path.read_bytes()[:-30])
    for wrong in (path, tmp_path / "none.zip", tmp_path):
        (finding,) = check_mask_zip(wrong, SIZES)
        assert f"expected a zip at {wrong}, got" in finding.message


def test_bits_with_0_for_white_only_warn(files, tmp_path: Path) -> None:
    data = tiff(MASK > 0, compression="group4", tiffinfo={262: 0})
    (finding,) = check_mask_zip(pack(tmp_path / "s.zip", {**files, NAME: data}), SIZES)
    assert finding.severity == "warning"
    assert "austin2.tif: expected 0 for black, got 0 for white" in finding.message


def test_many_findings_of_one_kind_are_counted(tmp_path: Path) -> None:
    expected = {f"vienna{number}.tif": (8, 8) for number in range(36)}
    wrong = {name: tiff(np.ones((8, 8), np.uint8)) for name in list(expected)[:9]}
    findings = check_mask_zip(pack(tmp_path / "submission.zip", wrong), expected)
    assert len(findings) == 6 + 6
    assert findings[5].message == "and 22 more: missing files"
    assert findings[11].message == "and 4 more: other values"


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.zeros((2, 3, 1), bool), r"expected a mask \(H, W\), got \(2, 3, 1\) bool"),
        (np.full((2, 3), 0.5), r"got \(2, 3\) float64; threshold"),
        (np.zeros((0, 3), bool), r"got \(0, 3\) bool"),
        (np.array([[0, 1, 255]]), r"in the mask m.tif, got 0\.\.255 and more"),
        (np.array([[0, 7]]), r"expected 0 and 1, or 0 and 255 in the mask m.tif, got 0\.\.7"),
        (np.array([[0, -1]]), r"got -1\.\.0 and more"),
    ],
)
def test_what_is_no_mask_is_not_written(mask, message: str, tmp_path: Path) -> None:
    with pytest.raises(KitError, match=message):
        write_mask_tiff(tmp_path / "m.tif", mask)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_compression_and_an_empty_folder_are_told(tmp_path: Path) -> None:
    with pytest.raises(KitError, match="expected compression ccitt or deflate, got 'lzw'"):
        write_mask_tiff(tmp_path / "m.tif", MASK, "lzw")
    with pytest.raises(KitError, match=r"expected TIFF files in .*, got none"):
        zip_masks(tmp_path, tmp_path / "submission.zip")
