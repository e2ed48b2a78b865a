import shutil
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from scipy.fft import dctn

from common.data.build import fold_loaders
from common.errors import KitError
from common.keys import IMAGE, IMAGE_ID
from common.submission.validator import check_submission
from common.submission.writer import write_submission
from competitions.alaska2_classification import data
from competitions.alaska2_classification.config import EXPERIMENTS
from competitions.alaska2_classification.demo import SIZE, STRENGTH, write_demo
from competitions.alaska2_classification.embedding import (
    RULES,
    change_rates,
    dequantise,
    from_blocks,
    quantise,
    read_planes,
    to_blocks,
)

COVERS, TEST = 18, 20
STEGO = data.CLASSES[1:]
FOUR, BINARY = EXPERIMENTS["baseline"], EXPERIMENTS["binary"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("alaska2")
    write_demo(folder, covers=COVERS, test=TEST)
    return folder


@pytest.fixture
def copy(demo: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(demo, tmp_path / "data"))


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def coefficients(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Luminance coefficients as read again from the file, their table, and the chrominance."""
    planes, table = read_planes(path)
    return quantise(planes[0], table), table, planes[1:]


def within_range(path: Path) -> np.ndarray:
    """Which blocks, `(R, S)`, are far from black and white."""
    blocks = to_blocks(read_planes(path)[0][0])
    return (blocks.min((2, 3)) > 9) & (blocks.max((2, 3)) < 246)


def test_the_demo_has_the_layout_of_the_competition(demo: Path) -> None:
    names = [f"{number + 1:05d}.jpg" for number in range(COVERS)]
    for folder in data.CLASSES:
        assert sorted(path.name for path in (demo / folder).iterdir()) == names
    ids = [f"{number + 1:04d}.jpg" for number in range(TEST)]
    assert sorted(path.name for path in (demo / "Test").iterdir()) == ids
    sample = (demo / "sample_submission.csv").read_text().splitlines()
    assert sample == ["Id,Label", *(f"{image_id},0" for image_id in ids)]
    assert {path.name for path in demo.iterdir()} == {*data.CLASSES, "Test", data.SAMPLE}


def test_every_image_is_an_rgb_jpeg_of_whole_blocks_without_subsampling(demo: Path) -> None:
    for path in demo.rglob("*.jpg"):
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (SIZE, SIZE))
            assert {layer[1:3] for layer in image.layer} == {(1, 1)}


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_demo(tmp_path / name, seed=seed, covers=4, test=3)
    first, again, other = (contents(tmp_path / name) for name in "abc")
    assert first == again
    assert first.keys() == other.keys()
    assert all(first[name] != other[name] for name in first if name.endswith(".jpg"))


def test_no_image_occurs_twice(demo: Path) -> None:
    images = [content for name, content in contents(demo).items() if name.endswith(".jpg")]
    assert len(set(images)) == len(images) == 4 * COVERS + TEST


def test_train_frame_holds_every_image_once_with_its_class_and_group(demo: Path) -> None:
    frame = data.read_train(demo, FOUR)
    assert len(frame) == 4 * COVERS
    assert frame["image_id"].is_unique
    assert "Cover/00001.jpg" in set(frame["image_id"])
    assert all(Path(path).is_file() for path in frame["path"])
    names = [FOUR.classes[label] for label in frame["label"]]
    assert names == [image_id.split("/")[0] for image_id in frame["image_id"]]
    assert names == frame["method"].tolist()
    for _, versions in frame.groupby("group"):
        assert sorted(versions["method"]) == sorted(data.CLASSES)
        assert {Path(path).name for path in versions["path"]} == set(versions["group"])


def test_with_two_classes_every_version_but_the_cover_is_stego(demo: Path) -> None:
    four, two = data.read_train(demo, FOUR), data.read_train(demo, BINARY)
    np.testing.assert_array_equal(two["label"], four["label"] > 0)
    pd.testing.assert_frame_equal(two.drop(columns="label"), four.drop(columns="label"))


def test_qualities_are_even_and_stego_versions_have_their_covers(demo: Path) -> None:
    frame = data.read_train(demo, FOUR)
    counts = frame["quality"].value_counts()
    assert counts.to_dict() == dict.fromkeys(data.QUALITIES, 4 * COVERS // 3)
    for quality, path in zip(frame["quality"], frame["path"], strict=True):
        assert data.jpeg_quality(path) == quality


@pytest.mark.parametrize("quality", [1, 10, 49, 50, 75, 90, 95, 100])
def test_quality_is_read_back_from_the_header(tmp_path: Path, quality: int) -> None:
    path = tmp_path / "a.jpg"
    Image.new("RGB", (16, 16), (10, 200, 90)).save(path, quality=quality)
    assert data.jpeg_quality(path) == quality


def test_stego_changes_luminance_by_one_and_leaves_the_rest(demo: Path) -> None:
    changes, seen = {}, 0
    for name in STEGO:
        expected = found = 0.0
        for cover_path in sorted((demo / "Cover").iterdir()):
            cover, table, chroma = coefficients(cover_path)
            stego, stego_table, stego_chroma = coefficients(demo / name / cover_path.name)
            np.testing.assert_array_equal(table, stego_table)
            np.testing.assert_array_equal(chroma, stego_chroma)
            # Whole grey levels blur the finest steps; black and white cut changes off.
            free = within_range(cover_path) & within_range(demo / name / cover_path.name)
            difference = (stego - cover)[free][:, table >= 5]
            assert difference.size == 0 or np.abs(difference).max() <= 1
            assert table[0, 0] < 3 or not (stego - cover)[free][:, 0, 0].any()
            seen += difference.size
            if (table >= 5).mean() > 0.9:  # qualities 90 and 75
                usable = np.count_nonzero(cover) - np.count_nonzero(cover[..., 0, 0])
                expected += STRENGTH * usable
                found += np.count_nonzero(stego - cover)
                changes[name] = stego - cover
        assert expected > 1000
        assert found == pytest.approx(expected, rel=0.1)
    assert seen > 1e5
    for one, other in combinations(STEGO, 2):
        assert (changes[one] != changes[other]).any()


def test_the_stronger_the_embedding_the_more_coefficients_differ(tmp_path: Path) -> None:
    shares = []
    for strength in (0.0, 0.1, 0.4):
        folder = tmp_path / str(strength)
        write_demo(folder, covers=3, test=1, strength=strength)
        pairs = [(folder / c / f"0000{n}.jpg" for c in ("Cover", "UERD")) for n in range(1, 4)]
        shares.append(
            np.mean([(coefficients(a)[0] != coefficients(b)[0]).mean() for a, b in pairs])
        )
    assert shares[0] == 0
    assert shares[1] > 0
    assert shares[2] > 2.5 * shares[1]


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_prefers_texture_to_flat_ground(rule: str) -> None:
    rng = np.random.default_rng(0)
    plane = np.full((64, 64), 120.0)
    plane[:, 32:] += rng.normal(scale=20, size=(64, 32))
    table = np.full((8, 8), 6)
    plane = dequantise(quantise(plane, table), table)
    cover = quantise(plane, table)
    rates = change_rates(RULES[rule](plane, cover, table), changes=300)
    assert rates.sum() == pytest.approx(300, rel=1e-3)
    assert (rates[..., 0, 0] == 0).all()
    assert rates[:, 5:].sum() > 10 * rates[:, :3].sum()


def test_the_dearer_a_coefficient_the_more_rarely_it_changes() -> None:
    cost = np.random.default_rng(0).exponential(size=(2, 2, 8, 8))
    rates = change_rates(cost.copy(), changes=40)[..., 1:, :].ravel()
    order = np.argsort(cost[..., 1:, :].ravel())
    assert (np.diff(rates[order]) <= 0).all()
    assert change_rates(cost, changes=1e9).max() <= 2 / 3


def test_blocks_are_cut_and_joined_without_loss_and_transformed_as_scipy_does() -> None:
    plane = np.random.default_rng(0).integers(0, 256, (24, 40)).astype(np.uint8)
    np.testing.assert_array_equal(from_blocks(to_blocks(plane)), plane)
    np.testing.assert_array_equal(to_blocks(plane)[1, 2], plane[8:16, 16:24])
    table = np.arange(3, 67).reshape(8, 8)
    expected = np.rint(dctn(to_blocks(plane) - 128.0, axes=(2, 3), norm="ortho") / table)
    np.testing.assert_array_equal(quantise(plane, table), expected)


def test_coefficients_survive_decoding() -> None:
    table = np.full((8, 8), 6)
    kept = np.random.default_rng(0).integers(-1, 2, (4, 5, 8, 8))
    np.testing.assert_array_equal(quantise(dequantise(kept, table), table), kept)


def test_test_frame_follows_the_sample_submission(copy: Path) -> None:
    ids = data.read_test(copy)["image_id"].tolist()
    assert ids == [f"{number + 1:04d}.jpg" for number in range(TEST)]
    sample = copy / data.SAMPLE
    header, *lines = sample.read_text().splitlines()
    sample.write_text("\n".join([header, *reversed(lines)]) + "\n")
    frame = data.read_test(copy)
    assert frame["image_id"].tolist() == ids[::-1]
    assert [Path(path).name for path in frame["path"]] == ids[::-1]


def test_probabilities_become_a_valid_submission(demo: Path, tmp_path: Path) -> None:
    frame = data.read_test(demo)
    probs = np.random.default_rng(0).dirichlet(np.ones(4), size=TEST)
    predictions = pd.DataFrame(probs, columns=list(data.CLASSES))
    predictions.insert(0, "image_id", frame["image_id"])
    made = data.to_submission(predictions)
    np.testing.assert_allclose(made["Label"], 1 - probs[:, 0])
    sample = data.sample_submission(demo)
    path = write_submission(made, tmp_path / "submission.csv", sample, data.RULES)
    assert not check_submission(path, sample, data.RULES)
    write_submission(made.assign(Label=made["Label"] * 9 - 4), path, sample, data.RULES)


@pytest.mark.parametrize("name", [*data.CLASSES, "Test", "sample_submission.csv"])
def test_what_is_missing_is_named_with_the_way_to_get_it(copy: Path, name: str) -> None:
    path = copy / name
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    kind = "folder" if name in (*data.CLASSES, "Test") else "file"
    message = rf"expected the {kind} '{path}', found none; .*kit demo alaska2_classification"
    with pytest.raises(KitError, match=message):
        data.read_train(copy, FOUR) if name in data.CLASSES else data.read_test(copy)


def test_a_sample_row_without_a_file_is_named_and_stays(copy: Path) -> None:
    (copy / "Test" / "0002.jpg").unlink()
    with pytest.warns(UserWarning, match=r"1 of 20 rows have none: '0002\.jpg'"):
        frame = data.read_test(copy)
    assert frame["path"].iloc[1] == str(copy / "Test" / "0002.jpg")
    for path in (copy / "Test").iterdir():
        path.rename(path.with_suffix(".txt"))
    with pytest.raises(KitError, match="20 of 20 rows have none"):
        data.read_test(copy)


@pytest.mark.parametrize("content", [b"", b"not an image"])
def test_a_broken_cover_is_named(copy: Path, content: bytes) -> None:
    (copy / "Cover" / "00003.jpg").write_bytes(content)
    with pytest.raises(KitError, match=r"expected a JPEG in '.*00003\.jpg'"):
        data.read_train(copy, FOUR)


def test_an_image_of_another_format_has_no_quality(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.jpg", "PNG")
    with pytest.raises(KitError, match="got another format"):
        data.jpeg_quality(tmp_path / "a.jpg")


def test_writing_the_demo_imports_neither_scikit_learn_nor_torch() -> None:
    program = (
        "import sys; from competitions.alaska2_classification.demo import photographs; "
        "photographs(); print(sorted({'sklearn', 'torch'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_the_network_sees_the_files_own_pixels_turned_or_mirrored_and_no_others(demo, experiment):
    config = EXPERIMENTS[experiment].model_copy(
        update={"data.num_workers": 0, "train.batch_size": 6, "data.n_folds": 3}
    )
    frame = data.read_train(demo, config)
    frame = frame.assign(fold=frame["group"].factorize()[0] % 3)
    paths, seen = frame.set_index("image_id")["path"], 0
    for loader in fold_loaders(frame, 0, config):
        for batch in loader:
            assert batch[IMAGE].dtype == torch.uint8
            for image_id, image in zip(batch[IMAGE_ID], batch[IMAGE].numpy(), strict=True):
                assert is_view(image.transpose(1, 2, 0), np.asarray(Image.open(paths[image_id])))
                seen += 1
    assert seen > len(frame) // 2


def is_view(image: np.ndarray, stored: np.ndarray) -> bool:
    """Say whether a picture lies in one of the eight ways, but for the rounding of decoders."""
    ways = [np.rot90(way, turns) for way in (stored, stored[:, ::-1]) for turns in range(4)]
    fitting = [way for way in ways if way.shape == image.shape]
    return any(np.abs(image.astype(int) - way).max() <= 1 for way in fitting)
