"""The hidden test set differs from the public one in all that a kernel might rely on."""

import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.competition import Competition
from common.data.image import image_size, read_image
from common.errors import KitError
from common.kernels_folder import kernels

from .rehearsals import NAME, write_data

hidden = kernels("rehearsal.hidden")


def make(tmp_path: Path, name: str, public: Path):
    data = Competition(name).module("data")
    made = hidden.make_hidden(data, public, tmp_path / "hidden")
    return made, data.read_test(public), data


def write_image(path: Path, size: tuple[int, int] = (40, 30)) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


@pytest.mark.parametrize("count", [1, 4, 30])
def test_more_images_other_names_other_sizes_one_broken(tmp_path, count):
    made, public, data = make(tmp_path, NAME, write_data(tmp_path / "data", count))
    test = data.read_test(made.folder)
    assert len(test) == made.count == count + max(count // 2, 6)
    assert not set(test.image_id) & set(public.image_id)
    assert all(re.fullmatch(r"\d{4}\.jpg", name) for name in test.image_id)
    assert len({image_size(path) for path in test.path}) > 1
    unreadable = [row.image_id for row in test.itertuples() if not readable(row.path)]
    assert unreadable == [made.broken]


def readable(path: str) -> bool:
    try:
        read_image(path)
    except KitError:
        return False
    return True


def test_the_same_seed_makes_the_same_names(tmp_path):
    ids = [f"{number:04d}.jpg" for number in range(50)]
    assert hidden.invent_ids(ids, 75) == hidden.invent_ids(ids, 75)
    assert len(set(hidden.invent_ids(ids, 75)) | set(ids)) == 125


def test_hexadecimal_names_stay_hexadecimal_and_words_stay(tmp_path):
    (new,) = hidden.invent_ids(["2fd875eaf"], 1)
    assert re.fullmatch(r"[0-9a-f]{9}", new)
    (new,) = hidden.invent_ids(["site/image_007.png"], 1)
    assert re.fullmatch(r"site/image_\d{3}\.png", new)


def test_names_that_have_run_out_get_longer():
    ids = [f"{number}.png" for number in range(10)]
    assert len(set(hidden.invent_ids(ids, 16)) - set(ids)) == 16


def test_names_without_digits_get_some():
    assert all(re.fullmatch(r"(one|two)\d+", new) for new in hidden.invent_ids(["one", "two"], 3))


def test_files_that_are_not_called_after_their_ids_are_refused(tmp_path):
    public = write_data(tmp_path / "data")
    test = Competition(NAME).module("data").read_test(public).assign(image_id=list("abcd"))
    with pytest.raises(KitError, match="called after their ids"):
        hidden.make_hidden(SimpleNamespace(read_test=lambda _: test), public, tmp_path / "hidden")


def test_wheats_names_and_sample(tmp_path):
    public = tmp_path / "data"
    for name in ("2fd875eaf", "f5a1f0358", "51b3e36ab"):
        write_image(public / "test" / f"{name}.jpg")
    write_image(public / "train" / "aaaaaaaaa.jpg")
    (public / "train.csv").write_text("image_id,width,height,bbox,source\n")
    rows = "".join(f"{name},1.0 0 0 50 50\n" for name in ("f5a1f0358", "2fd875eaf", "51b3e36ab"))
    (public / "sample_submission.csv").write_text("image_id,PredictionString\n" + rows)
    made, _, data = make(tmp_path, "wheat_detection", public)
    sample = pd.read_csv(made.folder / "sample_submission.csv", dtype=str)
    assert sample.image_id.tolist() == data.read_test(made.folder).image_id.tolist()
    assert set(sample.PredictionString) == {"1.0 0 0 50 50"}
    assert all(re.fullmatch(r"[0-9a-f]{9}", name) for name in sample.image_id)
    assert not (made.folder / "train.csv").exists()  # it is there as it was


def test_inrias_names_keep_its_rule_even_where_all_numbers_are_taken(tmp_path):
    public = tmp_path / "data"
    for number in range(1, 37):
        write_image(public / "test" / "images" / f"tyrol-e{number}.tif")
    made, public_test, data = make(tmp_path, "inria_segmentation", public)
    test = data.read_test(made.folder)  # refuses names against the rule
    assert len(test) == 54
    assert not set(test.image_id) & set(public_test.image_id)
    assert len(data.image_sizes(test)) == 54  # also of the broken one, whose header is whole


def test_every_table_that_lists_the_test_images_is_rewritten(tmp_path):
    public = write_data(tmp_path / "data")
    lines = ["camera,file", *(f"c{n},{n:04d}.jpg" for n in range(1, 5)), "c9,train.jpg"]
    (public / "meta.csv").write_text("\n".join(lines))
    made, _, data = make(tmp_path, NAME, public)
    meta = pd.read_csv(made.folder / "meta.csv", dtype=str)
    assert set(data.read_test(made.folder).image_id) == set(meta.file) - {"train.jpg"}
    assert set(meta.camera) == {"c1", "c2", "c3", "c4", "c9"}


def test_a_sample_that_does_not_list_the_images_is_refused(tmp_path):
    public = write_data(tmp_path / "data")
    test = Competition(NAME).module("data").read_test(public)
    (public / "other.csv").write_text("Id,Label\n1,0\n")
    data = SimpleNamespace(
        read_test=lambda _: test, sample_submission=lambda folder: folder / "other.csv"
    )
    with pytest.raises(KitError, match=r"other\.csv"):
        hidden.make_hidden(data, public, tmp_path / "hidden")


def test_the_public_data_is_left_alone(tmp_path):
    public = write_data(tmp_path / "data")
    part = kernels("rehearsal.input_tree").Part(public, "")
    before = kernels("rehearsal.input_tree").stamps([part])
    make(tmp_path, NAME, public)
    assert kernels("rehearsal.input_tree").stamps([part]) == before
