import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from common.data.frame import (
    attach_paths,
    check_labels,
    check_multilabel,
    list_class_folders,
    list_images,
    read_csv,
)
from common.errors import KitError


def make_images(folder, names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2)).save(path)
    return folder


def test_ids_stay_text(tmp_path):
    (tmp_path / "train.csv").write_text("Id,Label\n00001,3\n1e5,4\n")
    frame = read_csv(tmp_path / "train.csv", ["Id", "Label"])
    assert frame["Id"].tolist() == ["00001", "1e5"]
    assert frame["Label"].tolist() == [3, 4]


def test_missing_folder_file_and_column_say_what_to_do(tmp_path):
    (tmp_path / "train.csv").write_text("id,label\na,b\n")
    with pytest.raises(KitError, match=r"folder '.*nowhere'.*--data DIR.*KIT_DATA"):
        read_csv(tmp_path / "nowhere" / "train.csv", ["id"])
    with pytest.raises(KitError, match=r"trian\.csv'.*did you mean 'train\.csv'"):
        read_csv(tmp_path / "trian.csv", ["id"])
    with pytest.raises(
        KitError,
        match=r"column 'image_id'.*\['id', 'label'\]; known: id.*competitions/<name>/data\.py",
    ):
        read_csv(tmp_path / "train.csv", ["image_id", "label"])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("id;label\na;1\n", "separator"),
        ("", "No columns"),
        ("id,label\na,1\n,2\n", "row 1 has none"),
        ("id,label\na,1\nb,2,3,4\n", "expected a csv"),
    ],
)
def test_odd_csv_files_are_explained(text, words, tmp_path):
    (tmp_path / "odd.csv").write_text(text)
    with pytest.raises(KitError, match=words):
        read_csv(tmp_path / "odd.csv", ["id", "label"])


@pytest.mark.parametrize("with_suffix", [False, True])
def test_paths_are_found_with_and_without_suffix(with_suffix, tmp_path):
    make_images(tmp_path, ["001.jpg", "b.v2.PNG", "c.tif"])
    ids = ["c.tif", "001.jpg", "b.v2.PNG"] if with_suffix else ["c", "001", "b.v2"]
    frame = attach_paths(pd.DataFrame({"image_id": ids}), tmp_path)
    assert [path.rpartition("/")[2] for path in frame["path"]] == ["c.tif", "001.jpg", "b.v2.PNG"]
    assert frame.attrs["unlisted_files"] == []


def test_ids_may_name_subfolders_and_another_column(tmp_path):
    make_images(tmp_path, ["a/1.jpg", "b/1.jpg"])
    frame = attach_paths(pd.DataFrame({"Id": ["b/1", "a/1.jpg"]}), tmp_path, id_column="Id")
    assert frame["path"].tolist() == [str(tmp_path / "b/1.jpg"), str(tmp_path / "a/1.jpg")]
    assert frame["image_id"].tolist() == frame["Id"].tolist()


def test_rows_without_a_file_are_counted_and_named(tmp_path):
    make_images(tmp_path, ["a.jpg"])
    frame = pd.DataFrame({"image_id": ["a", *(f"lost{i}" for i in range(7))]})
    with pytest.raises(KitError, match=r"7 of 8 rows have none: 'lost0', .*'lost4', \.\.\. \(7 in"):
        attach_paths(frame, tmp_path)


def test_rows_without_a_file_may_stay_with_the_path_that_was_expected(tmp_path):
    make_images(tmp_path, ["a.jpg", "c.jpg"])
    frame = pd.DataFrame({"image_id": ["a", "b", "c.jpg", "d.png"]})
    with pytest.warns(UserWarning, match=r"2 of 4 rows have none: 'b', 'd.png'"):
        found = attach_paths(frame, tmp_path, missing="warn")
    assert found["path"].tolist() == [
        str(tmp_path / name) for name in ("a.jpg", "b", "c.jpg", "d.png")
    ]
    with pytest.raises(KitError, match=r"2 of 2 rows have none"):
        attach_paths(frame.iloc[[1, 3]], tmp_path, missing="warn")


def test_files_without_a_row_are_warned_of_and_recorded(tmp_path):
    make_images(tmp_path, ["a.jpg", "b.jpg", "c.jpg", ".hidden.jpg"])
    (tmp_path / "notes.txt").touch()
    with pytest.warns(UserWarning, match=r"2 image files .* have no row: 'b\.jpg', 'c\.jpg'"):
        frame = attach_paths(pd.DataFrame({"image_id": ["a"]}), tmp_path)
    assert frame.attrs["unlisted_files"] == ["b.jpg", "c.jpg"]


def test_duplicate_ids_and_ambiguous_files_are_refused(tmp_path):
    make_images(tmp_path, ["a.jpg", "a.png"])
    with pytest.raises(KitError, match=r"unique ids.*'a'"):
        attach_paths(pd.DataFrame({"image_id": ["a", "a"]}), tmp_path)
    frame = pd.DataFrame({"image_id": ["a"]})
    with pytest.raises(KitError, match=r"\['a\.jpg', 'a\.png'\].*suffixes="):
        attach_paths(frame, tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert attach_paths(frame, tmp_path, suffixes=(".png",))["path"][0].endswith("a.png")
    with pytest.raises(KitError, match=r"image folder '.*none'"):
        attach_paths(frame, tmp_path / "none")


def test_listings(tmp_path):
    make_images(tmp_path, ["dog/2.jpg", "dog/1.jpg", "cat/1.jpg", "stray.jpg"])
    with pytest.warns(UserWarning, match=r"'stray\.jpg'"):
        frame = list_class_folders(tmp_path)
    assert frame["image_id"].tolist() == ["cat/1.jpg", "dog/1.jpg", "dog/2.jpg"]
    assert frame["label"].tolist() == ["cat", "dog", "dog"]
    assert list_images(tmp_path / "dog")["image_id"].tolist() == ["1.jpg", "2.jpg"]
    (tmp_path / "empty").mkdir()
    for listing in (list_images, list_class_folders):
        with pytest.raises(KitError, match=r"expected .*images"):
            listing(tmp_path / "empty")


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a", "c", "a"], ["a", "b", "c"]),
        ([1, 0, 2, 0], ["0", "1", "2"]),
        ([1.0, 0.0, 2.0, 0.0], [0, 1, 2]),
    ],
)
def test_labels_become_positions(labels, classes):
    frame = pd.DataFrame({"image_id": list("wxyz"), "label": labels})
    checked = check_labels(frame, classes)
    assert checked["label"].tolist() == [1, 0, 2, 0]
    assert checked["label"].dtype == np.int64
    assert frame["label"].tolist() == labels


def test_nan_and_unknown_labels_name_row_id_and_nearest_class():
    frame = pd.DataFrame({"image_id": list("wxy"), "label": ["cat", None, "dgo"]})
    with pytest.raises(KitError, match=r"row 1 \(image_id 'x'\) has '(nan|None)' \(1 such rows\)"):
        check_labels(frame, ["cat", "dog"])
    with pytest.raises(KitError, match=r"row 1 \(image_id 'y'\) has 'dgo' .*did you mean 'dog'"):
        check_labels(frame.drop(index=1), ["cat", "dog"])
    with pytest.raises(KitError, match="label column 'labels'; did you mean 'label'"):
        check_labels(frame, ["cat", "dog"], column="labels")


def test_multilabel_takes_zeros_and_ones_only():
    frame = pd.DataFrame({"image_id": list("xyz"), "a": [0, 1, 1], "b": ["1", "0", "1"]})
    checked = check_multilabel(frame, ["a", "b"])
    assert checked[["a", "b"]].to_numpy().tolist() == [[0, 1], [1, 0], [1, 1]]
    assert (checked[["a", "b"]].dtypes == np.float32).all()
    for wrong in (2, np.nan, "yes"):
        bad = frame.astype(object)
        bad.loc[2, "b"] = wrong
        with pytest.raises(KitError, match=r"0 or 1 in column 'b'.*row 2 .*'z'\) has '"):
            check_multilabel(bad, ["a", "b"])
