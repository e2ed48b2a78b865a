import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from common.data.folds import fold_frame
from common.errors import KitError
from common.submission.masks import write_mask_tiff, zip_masks
from competitions.inria_segmentation import data
from competitions.inria_segmentation.config import EXPERIMENTS
from competitions.inria_segmentation.demo import write_demo
from competitions.inria_segmentation.drawing.picture import draw_town
from competitions.inria_segmentation.drawing.plan import Plan
from competitions.inria_segmentation.drawing.roofs import Roof, build_roof
from competitions.inria_segmentation.drawing.scene import Place, Scene, Sun, expose
from competitions.inria_segmentation.drawing.styles import TEST, TRAIN

SIZE, NUMBERS = 200, (1, 5, 6, 36)
BASE = EXPERIMENTS["baseline"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inria")
    write_demo(folder, size=SIZE, numbers=NUMBERS)
    return folder


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two images of the right layout, cheap to spoil."""
    for part in (data.IMAGES, data.MASKS, data.TEST):
        (tmp_path / "data" / part).mkdir(parents=True)
        for name in ("austin1.tif", "tyrol-w12.tif"):
            Image.new("L", (4, 3)).save(tmp_path / "data" / part / name)
    return tmp_path / "data"


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def pairs(folder: Path) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    frame = data.read_train(folder, BASE)
    for path, mask in zip(frame["path"], frame["mask"], strict=True):
        yield np.array(Image.open(path)), np.array(Image.open(mask))


def test_the_demo_has_the_layout_of_the_competition(demo: Path) -> None:
    train = {f"{city}{number}.tif" for city in TRAIN for number in NUMBERS}
    test = {f"{city}1.tif" for city in TEST}
    expected = {(part / name).as_posix() for part in (data.IMAGES, data.MASKS) for name in train}
    assert contents(demo).keys() == expected | {(data.TEST / name).as_posix() for name in test}
    for path in demo.rglob("*.tif"):
        with Image.open(path) as image:
            assert (image.format, image.size) == ("TIFF", (SIZE, SIZE))
            assert image.mode == ("L" if path.parent.name == "gt" else "RGB")
            assert image.info["compression"] == "raw"
            assert len(image.tag_v2[273]) == SIZE // image.tag_v2[278] > 1  # strips
            assert image.tag_v2[33550][:2] == (0.3, 0.3)  # metres per pixel


def test_the_seed_decides_every_byte_and_no_other_picture_does(demo: Path, tmp_path: Path) -> None:
    for seed, name in ((0, "same"), (1, "other")):
        write_demo(tmp_path / name, seed, SIZE, NUMBERS[:1])
    whole, same, other = contents(demo), contents(tmp_path / "same"), contents(tmp_path / "other")
    assert len(same) == 2 * len(TRAIN) + len(TEST)
    assert all(whole[name] == content for name, content in same.items())
    assert all(other[name] != content for name, content in same.items() if "images" in name)


def test_masks_are_0_and_255_and_a_sensible_share_is_built_on(demo: Path) -> None:
    shares = []
    for image, mask in pairs(demo):
        assert image.shape == (*mask.shape, 3)
        assert set(np.unique(mask).tolist()) <= {0, 255}
        shares.append((mask > 0).mean())
    by_city = np.array(shares).reshape(len(TRAIN), len(NUMBERS)).mean(1)
    assert ((by_city > 0.03) & (by_city < 0.6)).all()


def test_masks_lie_on_what_is_drawn(demo: Path) -> None:
    """Outlines of buildings are edges of the picture; the same outlines elsewhere are not."""
    there, elsewhere = [], []
    for image, mask in pairs(demo):
        outline = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, np.ones((3, 3), np.uint8)) > 0
        grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
        edges = np.hypot(cv2.Sobel(grey, -1, 1, 0), cv2.Sobel(grey, -1, 0, 1))
        there.append(edges[outline])
        elsewhere.append(edges[np.roll(outline, (SIZE // 2, SIZE // 2), (0, 1))])
    assert np.concatenate(there).mean() > 1.5 * np.concatenate(elsewhere).mean()


@pytest.mark.parametrize("kind", ["gable", "hip", "flat"])
def test_a_roof_covers_its_floor_is_brighter_to_the_sun_and_throws_a_shadow(kind: str) -> None:
    scene = Scene(160, np.random.default_rng(0))
    scene.colour += 120
    build_roof(scene, Place(80, 80, 0.0), 30, 20, Roof(kind, (120, 120, 120), 20, 0.6))
    assert scene.building.sum() == pytest.approx(60 * 40, rel=0.05)
    picture = expose(scene, Sun(azimuth=90, elevation=45), margin=0).mean(2)  # from below
    sunny, turned_away = picture[83:97, 60:100].mean(), picture[63:77, 60:100].mean()
    assert sunny > 1.2 * turned_away if kind != "flat" else abs(sunny / turned_away - 1) < 0.2
    ground = picture[10:30, 10:30].mean()
    assert picture[44:56, 60:100].mean() < 0.7 * ground
    assert picture[108:140, 60:100].mean() == pytest.approx(ground, rel=0.1)


def test_places_and_coordinates_of_a_plan_are_inverse() -> None:
    plan = Plan(0.6, 40.0, (1.0, 2.0))
    for u, v in ((0, 0), (300, -50), (-120, 480)):
        place = plan.place(u, v)
        found = plan.coordinates(np.float32(place.x), np.float32(place.y))
        assert found == pytest.approx((u, v), abs=0.05)


@pytest.mark.parametrize("city", sorted(TRAIN | TEST))
def test_pictures_are_neither_dark_nor_burnt_out_at_any_size(city: str) -> None:
    for size in (64, 250):
        image, building = draw_town((TRAIN | TEST)[city], size, np.random.default_rng(size))
        assert image.shape == (size, size, 3)
        assert building.shape == (size, size)
        assert 60 < image.mean() < 190
        assert (image == 255).all(2).mean() < 0.02


def test_the_frame_says_city_number_and_where_both_files_are(demo: Path) -> None:
    frame = data.read_train(demo, BASE)
    cities = sorted(TRAIN)
    assert frame["image_id"].tolist() == [f"{c}{n}.tif" for c in cities for n in NUMBERS]
    assert frame["group"].dtype == np.int64
    assert frame["group"].tolist() == [i for i in range(len(cities)) for _ in NUMBERS]
    assert frame["number"].tolist() == list(NUMBERS) * len(cities)
    for column, part in (("path", data.IMAGES), ("mask", data.MASKS)):
        assert frame[column].tolist() == [str(demo / part / name) for name in frame["image_id"]]
    test = data.read_test(demo)
    assert list(test.columns) == ["image_id", "path"]
    assert test["image_id"].tolist() == [f"{city}1.tif" for city in sorted(TEST)]


@pytest.mark.parametrize("n_folds", [2, 5, 7, 8])
def test_fold_0_is_the_official_split_and_the_others_share_the_rest(n_folds: int) -> None:
    numbers = np.arange(1, 37)
    folds = data.official_folds(numbers, n_folds)
    assert numbers[folds == 0].tolist() == [1, 2, 3, 4, 5]
    assert (np.diff(folds) >= 0).all()
    counts = np.bincount(folds)[1:]
    assert len(counts) == n_folds - 1
    assert counts.max() - counts.min() <= 1


def test_the_demo_has_every_city_in_every_fold(tmp_path: Path, small: Path) -> None:
    shutil.rmtree(small)
    write_demo(small, size=8)
    frame = fold_frame(tmp_path / "folds.csv", data.read_train(small, BASE), BASE)
    assert (frame["fold"] == 0).equals(frame["number"] <= 5)
    assert (frame.groupby("fold")["city"].nunique() == len(TRAIN)).all()
    assert sorted(frame["fold"].unique()) == list(range(BASE.data.n_folds))


def test_the_archives_top_folder_is_looked_into(small: Path) -> None:
    flat = data.read_train(small, BASE)
    (small / data.TOP).mkdir()
    for part in ("train", "test"):
        (small / part).rename(small / data.TOP / part)
    nested = data.read_train(small, BASE)
    assert nested["image_id"].equals(flat["image_id"])
    assert all(Path(path).is_file() for path in (*nested["path"], *nested["mask"]))
    assert len(data.read_test(small)) == 2


def test_a_zip_of_masks_is_checked_against_the_test_images(demo: Path, tmp_path: Path) -> None:
    for name in data.read_test(demo)["image_id"]:
        write_mask_tiff(tmp_path / "masks" / name, np.eye(SIZE, dtype=bool))
    assert not data.check_submission(zip_masks(tmp_path / "masks", tmp_path / "a.zip"), demo)
    write_mask_tiff(tmp_path / "masks" / "sfo1.tif", np.eye(SIZE + 1, dtype=bool))
    (tmp_path / "masks" / "innsbruck1.tif").unlink()
    findings = data.check_submission(zip_masks(tmp_path / "masks", tmp_path / "b.zip"), demo)
    assert [finding.severity for finding in findings] == ["error", "error"]
    assert "'innsbruck1.tif'" in findings[0].message
    assert f"sfo1.tif: expected {SIZE} x {SIZE}" in findings[1].message


@pytest.mark.parametrize("part", [data.IMAGES, data.MASKS, data.TEST])
def test_a_folder_that_is_missing_or_empty_is_named_with_a_way_out(small: Path, part: Path) -> None:
    def read() -> object:
        return data.read_test(small) if part == data.TEST else data.read_train(small, BASE)

    for path in (small / part).iterdir():
        path.unlink()
    with pytest.raises(KitError, match=rf"expected \.tif files in '{small / part}', found none"):
        read()
    (small / part).rmdir()
    message = rf"expected the folder '{small / part}', found none; .*kit demo inria_segmentation"
    with pytest.raises(KitError, match=message):
        read()


@pytest.mark.parametrize(("gone", "named"), [(data.MASKS, "train/gt"), (data.IMAGES, "train/imag")])
def test_an_image_without_a_mask_and_a_mask_without_an_image_are_named(
    small: Path, gone: Path, named: str
) -> None:
    (small / gone / "austin1.tif").unlink()
    with pytest.raises(KitError, match=rf"a file in {named}.*1 of 2 have none: 'austin1\.tif'"):
        data.read_train(small, BASE)


@pytest.mark.parametrize("name", ["austin.tif", "austin0.tif", "austin37.tif", "Austin 1.tif"])
def test_a_name_that_is_not_a_city_and_a_number_is_refused(small: Path, name: str) -> None:
    shutil.copy(small / data.TEST / "austin1.tif", small / data.TEST / name)
    with pytest.raises(KitError, match=rf"expected names <city><1\.\.36>\.tif.* found '{name}'"):
        data.read_test(small)


def test_a_broken_test_image_is_one_of_the_usual_size(small: Path, tmp_path: Path) -> None:
    (small / data.TEST / "austin1.tif").write_bytes(b"not an image")
    for name in ("austin1.tif", "tyrol-w12.tif"):
        write_mask_tiff(tmp_path / "masks" / name, np.eye(3, 4, dtype=bool))
    made = zip_masks(tmp_path / "masks", tmp_path / "a.zip")
    with pytest.warns(UserWarning, match=r"austin1\.tif' is taken for one of 4 x 3.*got something"):
        assert not data.check_submission(made, small)
    (small / data.TEST / "tyrol-w12.tif").write_bytes(b"")
    with pytest.raises(KitError, match="got 2 of 2 broken"):
        data.check_submission(made, small)
