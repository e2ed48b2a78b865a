"""Inputs lie as on Kaggle, new files in the place of old ones, nothing moved or changed."""

from pathlib import Path

import pytest

from common.kernels_folder import kernels

tree = kernels("rehearsal.input_tree")


def write(folder: Path, *names: str, text: str = "old") -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def laid_out(place: Path, parts) -> dict[str, str]:
    tree.place_for_links(place, parts)
    files = (file for file in place.rglob("*") if file.is_file())
    return {file.relative_to(place).as_posix(): file.read_text() for file in files}


def test_the_public_data_is_there_as_it_is(tmp_path):
    data = write(tmp_path / "data", "train/a.jpg", "test/b.jpg", "sample.csv")
    (tmp_path / "place").mkdir()
    found = laid_out(tmp_path / "place", tree.competition_data(data, "some"))
    names = {"train/a.jpg", "test/b.jpg", "sample.csv"}
    assert found == {f"competitions/some/{name}": "old" for name in names}


@pytest.mark.parametrize("top", ["", "AerialImageDataset/"])
def test_new_files_take_the_place_of_old_ones_however_deep(tmp_path, top):
    old = [f"{top}test/images/1.tif", f"{top}train/images/9.tif", f"{top}train/gt/9.tif", "s.csv"]
    data = write(tmp_path / "data", *old, f"{top}test/readme")
    new = write(tmp_path / "new", f"{top}test/images/2.tif", "s.csv", text="new")
    (tmp_path / "place").mkdir()
    found = laid_out(tmp_path / "place", tree.competition_data(data, "some", new))
    assert found == {
        f"competitions/some/{top}test/images/2.tif": "new",
        "competitions/some/s.csv": "new",
        f"competitions/some/{top}test/readme": "old",
        f"competitions/some/{top}train/images/9.tif": "old",
        f"competitions/some/{top}train/gt/9.tif": "old",
    }


def test_the_same_parts_can_be_mounted(tmp_path):
    data = write(tmp_path / "data", "test/b.jpg", "sample.csv")
    new = write(tmp_path / "new", "sample.csv", text="new")
    parts = tree.competition_data(data, "some", new)
    binds = tree.place_for_mounts(tmp_path / "place", parts, "/kaggle/input")
    assert {(source, target) for source, target, _ in binds} == {
        (str(data / "test"), "/kaggle/input/competitions/some/test"),
        (str(new / "sample.csv"), "/kaggle/input/competitions/some/sample.csv"),
    }
    assert all(read_only for _, _, read_only in binds)
    assert (tmp_path / "place" / "competitions" / "some" / "test").is_dir()
    assert (tmp_path / "place" / "competitions" / "some" / "sample.csv").is_file()


def test_data_sets_are_there_without_what_describes_them(tmp_path):
    packed = write(tmp_path / "packed", "wheels/a.whl", "wheels/dataset-metadata.json")
    (part,) = tree.data_sets(packed, {"wheels": "someone/wheels"})
    assert part.place == "datasets/someone/wheels/a.whl"


def test_large_data_is_linked_not_copied(tmp_path, monkeypatch):
    monkeypatch.setattr(tree, "COPIED", 2)
    data = write(tmp_path / "data", "sample.csv")
    (tmp_path / "place").mkdir()
    tree.place_for_links(tmp_path / "place", tree.competition_data(data, "some"))
    assert (tmp_path / "place" / "competitions" / "some").is_symlink()
    (data / "sample.csv").write_text("still writable")


def test_a_tree_made_read_only_can_be_removed_afterwards(tmp_path):
    data, place = write(tmp_path / "data", "test/b.jpg"), tmp_path / "place"
    place.mkdir()
    with tree.hold_open(place):
        tree.place_for_links(place, tree.competition_data(data, "some"))
        file = place / "competitions" / "some" / "test" / "b.jpg"
        assert file.stat().st_mode & 0o222 == 0
        assert file.parent.stat().st_mode & 0o222 == 0
    assert file.parent.stat().st_mode & 0o200
    assert (data / "test").stat().st_mode & 0o200


def test_a_change_is_seen(tmp_path):
    data = write(tmp_path / "data", "test/b.jpg")
    before = tree.stamps([tree.Part(data, "")])
    assert tree.stamps([tree.Part(data, "")]) == before
    write(data, "test/c.jpg")
    assert tree.stamps([tree.Part(data, "")]) != before
