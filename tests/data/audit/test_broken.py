from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.data.audit.broken import blank_images, broken_files, odd_modes
from common.data.audit.mask_scan import broken_masks, ignored_pixels, scan_masks
from common.data.audit.scan import scan_images
from common.keys import MASK

FAULTS = {
    "1 empty": lambda path: path.write_bytes(b""),
    "1 truncated or damaged": lambda path: path.write_bytes(path.read_bytes()[:-400]),
    "1 not an image": lambda path: path.write_bytes(b"<html>404 not found</html>"),
    "1 missing": lambda path: path.unlink(),
}


@pytest.fixture
def files(tmp_path, photographs) -> list[Path]:
    paths = []
    for number, (name, picture) in enumerate(photographs.items()):
        paths.append(tmp_path / f"{name}.{('jpg', 'png')[number % 2]}")
        Image.fromarray(picture).resize((96, 80)).save(paths[-1])
    return paths


def scan(paths):
    return scan_images([str(path) for path in paths]), [path.name for path in paths]


def test_whole_files_are_well(files):
    looked, ids = scan(files)
    for finding in (broken_files(looked, ids, "train"), odd_modes(looked, "train")):
        assert finding.status == "ok", finding
    assert "96x80" in broken_files(looked, ids, "train").found
    assert blank_images(looked, ids, "train") == []


@pytest.mark.parametrize("place", [0, 1], ids=["jpeg", "png"])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_file_is_a_problem_and_named(files, fault, place):
    FAULTS[fault](files[place])
    finding = broken_files(*scan(files), "train")
    assert finding.status == "problem"
    assert fault in finding.found
    assert files[place].name in finding.found
    assert finding.remedy


def test_parts_of_a_scan_keep_their_own_errors(files):
    files[3].write_bytes(b"")
    looked, _ = scan(files)
    assert looked.part(slice(0, 3)).errors == {}
    assert list(looked.part(slice(2, None)).errors) == [1]
    assert len(looked.part(slice(2, 5)).modes) == 3


def test_odd_modes_are_counted(files):
    Image.open(files[0]).convert("CMYK").save(files[0])
    Image.open(files[1]).convert("RGBA").save(files[1])
    finding = odd_modes(scan(files)[0], "test")
    assert finding.status == "warning"
    assert "1 CMYK" in finding.found
    assert "1 RGBA" in finding.found


def test_alpha_everywhere_is_not_odd(files):
    pngs = files[1::2]
    for path in pngs:
        Image.open(path).convert("RGBA").save(path)
    assert odd_modes(scan(pngs)[0], "train").status == "ok"


def test_blank_pictures_are_named(files):
    Image.new("RGB", (50, 50), (250, 250, 250)).save(files[1])
    (finding,) = blank_images(*scan(files), "train")
    assert finding.status == "warning"
    assert files[1].name in finding.found


def test_masks_are_counted_and_misfits_named(files, tmp_path):
    looked, ids = scan(files)
    masks = []
    for number, path in enumerate(files):
        mask = np.zeros((80, 96), np.uint8)
        mask[:number] = 255
        masks.append(str(tmp_path / f"mask_{path.stem}.png"))
        Image.fromarray(mask).save(masks[-1])
    frame = pd.DataFrame({MASK: masks})
    pixels, errors, ignored = scan_masks(frame, looked, 1)
    assert not ignored.any()
    assert pixels[:, 0].tolist() == [96 * number for number in range(len(files))]
    finding = broken_masks(pixels, errors, ids)
    assert finding.status == "ok"
    assert "1 without foreground" in finding.found

    Image.fromarray(np.zeros((8, 9), np.uint8)).save(masks[2])
    finding = broken_masks(*scan_masks(frame, looked, 1)[:2], ids)
    assert finding.status == "problem"
    assert ids[2] in finding.found


def test_ignored_pixels_are_counted_and_masks_of_nothing_else_named(files, tmp_path):
    looked, ids = scan(files)
    values = np.zeros((80, 96), np.uint8)
    values[:20], values[20:40] = 255, 1
    masks = [tmp_path / f"{number}_mask.png" for number in range(len(files))]
    for path in masks:
        Image.fromarray(values).save(path)
    frame = pd.DataFrame({MASK: [str(path) for path in masks]})
    found = scan_masks(frame, looked, 3)
    assert not found.errors
    assert found.pixels[0].tolist() == [40 * 96, 20 * 96, 0]
    np.testing.assert_allclose(found.ignored, 0.25)
    (finding,) = ignored_pixels(found.ignored, ids)
    assert finding.status == "ok"
    assert f"25.0% of {len(ids)} of {len(ids)} masks" in finding.found
    assert "1, 255" in next(iter(scan_masks(frame, looked, 1).errors.values()))
    assert scan_masks(frame, looked, 1, ignore=255).pixels[0].tolist() == [20 * 96]
    Image.fromarray(values * 0 + 255).save(masks[1])
    (finding,) = ignored_pixels(scan_masks(frame, looked, 3).ignored, ids)
    assert finding.status == "warning"
    assert ids[1] in finding.found
    assert ignored_pixels(np.ones(3), list("abc"))[0].status == "problem"
    assert ignored_pixels(np.zeros(3), list("abc")) == []
