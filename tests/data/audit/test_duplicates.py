from pathlib import Path

import cv2
import numpy as np
import pytest

from common.data.audit.duplicates import (
    CLUSTER,
    TEST,
    across_folds,
    clusters_of,
    contradictions,
    find_duplicates,
    in_test,
    table_of,
)
from common.data.audit.scan import scan_images
from common.keys import FOLD, IMAGE_ID, LABEL, PATH

CLASSES = ("cat", "dog")


def search(frame):
    paths = frame[PATH].tolist()
    return find_duplicates(scan_images(paths), paths)


def test_a_healthy_set_has_none(photographs, write):
    frame = write(photographs)
    found = search(frame)
    assert len(found.pairs) == 0
    assert across_folds(found, frame)[0].status == "ok"
    assert in_test(found, frame)[0].status == "ok"
    assert contradictions(found, frame, CLASSES, "group")[0].status == "ok"
    assert table_of(found, frame)[CLUSTER].is_unique


def changed(picture: np.ndarray) -> np.ndarray:
    small = cv2.resize(picture, None, fx=0.6, fy=0.6, interpolation=cv2.INTER_AREA)
    _, code = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 50])
    return np.clip(cv2.imdecode(code, cv2.IMREAD_COLOR) + 20.0, 0, 255).astype(np.uint8)


@pytest.mark.parametrize(("copy", "word"), [(np.array, "1 byte-ident"), (changed, "1 near-ident")])
def test_a_copy_across_folds_is_named(photographs, write, copy, word):
    frame = write({**photographs, "copy": copy(photographs["chelsea"])})
    frame.loc[frame[IMAGE_ID].isin(["chelsea", "copy"]), FOLD] = [0, 1]
    found = search(frame)
    finding, torn = across_folds(found, frame)
    assert finding.status == "warning"
    assert finding.found.startswith(word)
    assert "'chelsea = copy'" in finding.found
    assert "group" in finding.remedy
    assert torn.tolist() == [True]
    assert in_test(found, frame)[0].status == "ok"


def test_a_copy_within_a_fold_is_no_leak(photographs, write):
    frame = write({**photographs, "copy": photographs["chelsea"]}).assign(**{FOLD: 0})
    found = search(frame)
    assert len(found.pairs) == 1
    assert across_folds(found, frame)[0].status == "ok"


def test_a_training_image_in_test_is_named(photographs, write):
    frame = write({**photographs, "unknown": changed(photographs["coffee"])})
    frame.loc[frame[IMAGE_ID] == "unknown", FOLD] = TEST
    found = search(frame)
    finding, _ = in_test(found, frame)
    assert finding.status == "warning"
    assert "'coffee = unknown'" in finding.found
    assert across_folds(found, frame)[0].status == "ok"


def test_copies_with_different_labels_contradict_each_other(photographs, write):
    frame = write({**photographs, "copy": changed(photographs["cell"])})
    frame.loc[frame[IMAGE_ID] == "copy", LABEL] = 1
    finding, differ = contradictions(search(frame), frame, CLASSES, "group")
    assert finding.status == "warning"
    assert "cell (cat) = copy (dog)" in finding.found
    assert differ.sum() == 1


def test_labels_that_no_eye_sees_contradict_in_identical_files_alone(photographs, write):
    copies = {"version": changed(photographs["cell"]), "double": photographs["coins"]}
    frame = write({**photographs, **copies})
    frame.loc[frame[IMAGE_ID].isin(copies), LABEL] = 1
    frame["group"] = frame[IMAGE_ID].replace({"version": "cell"})
    finding, _ = contradictions(search(frame), frame, CLASSES, "group")
    assert "coins (cat) = double (dog)" in finding.found
    assert "cell" not in finding.found


def test_clusters_join_what_is_alike_over_several_steps(photographs, write):
    cat = photographs["chelsea"]
    frame = write({**photographs, "second": cat, "third": changed(cat)})
    codes = clusters_of(search(frame), len(frame))
    alike = frame[IMAGE_ID].isin(["chelsea", "second", "third"]).to_numpy()
    assert len(set(codes[alike])) == 1
    assert len(set(codes)) == len(frame) - 2
    table = table_of(search(frame), frame)
    assert set(table[IMAGE_ID][:3]) == {"chelsea", "second", "third"}
    assert table["size"].tolist() == [3] * 3 + [1] * (len(frame) - 3)


def test_blank_and_broken_pictures_are_no_duplicates(photographs, write):
    blank = np.full((64, 64, 3), 240, np.uint8)
    frame = write({**photographs, "white": blank, "also_white": blank, "cut": blank, "cut2": blank})
    for name in ("cut", "cut2"):
        path = Path(frame.loc[frame[IMAGE_ID] == name, PATH].iloc[0])
        path.write_bytes(path.read_bytes()[:60])
    assert len(search(frame).pairs) == 0
