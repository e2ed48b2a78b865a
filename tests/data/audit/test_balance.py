import numpy as np
import pandas as pd
import pytest

from common.data.audit.balance import class_balance, per_fold, presence, whole_groups
from common.keys import FOLD, LABEL, LABELS


def check(frame, config):
    folds = frame[FOLD].to_numpy()
    counts = per_fold(presence(frame, config), folds, config.classes)
    return class_balance(counts, np.bincount(folds))


@pytest.fixture
def frame() -> pd.DataFrame:
    """300 images of 3 classes, evenly over 3 folds, of 60 groups that are whole."""
    rows = np.arange(300)
    fold = rows // 5 % 3
    return pd.DataFrame({LABEL: rows // 100, FOLD: fold, "group": rows // 5})


def test_even_folds_are_well(frame, config):
    (finding,) = check(frame, config)
    assert finding.status == "ok"
    assert "3 folds" in finding.found
    assert whole_groups(frame, config).status == "ok"


def test_random_folds_are_no_alarm(frame, config):
    for seed in range(50):
        fold = np.random.default_rng(seed).integers(3, size=300)
        assert check(frame.assign(**{FOLD: fold}), config)[0].status == "ok"


def test_a_class_that_a_fold_lacks_is_named(frame, config):
    frame.loc[frame[LABEL] == 2, FOLD] = np.arange(100) % 2
    (finding,) = check(frame, config)
    assert finding.status == "warning"
    assert "red from '2'" in finding.found
    assert "stratified" in finding.remedy


def test_a_class_without_any_image_is_named(frame, config):
    frame.loc[frame[LABEL] == 0, LABEL] = 1
    finding = check(frame, config)[0]
    assert finding.status == "warning"
    assert "blue" in finding.found


def test_a_class_that_crowds_into_a_fold_is_named(frame, config):
    blue = frame.index[frame[LABEL] == 0]
    frame.loc[blue, FOLD] = 0
    frame.loc[blue[:20], FOLD] = np.arange(20) % 2 + 1
    found = check(frame, config)[0]
    assert found.status == "warning"
    assert "blue" in found.found
    assert "of fold 0" in found.found


def test_classes_of_boxes_and_of_several_labels_count_by_image(config):
    boxes = pd.DataFrame({LABELS: [np.array([0, 0, 2]), np.array([], int), np.array([1])]})
    expected = [[True, False, True], [False, False, False], [False, True, False]]
    assert presence(boxes, config).tolist() == expected
    several = config.model_copy(update={"multilabel": True})
    columns = pd.DataFrame(np.array(expected, np.float32), columns=list(config.classes))
    assert presence(columns, several).tolist() == expected
    assert presence(columns, config, np.array(expected) * 9).tolist() == expected


def test_a_split_group_is_named_unless_data_py_fixes_the_folds(frame, config):
    frame.loc[7, FOLD] = 2
    finding = whole_groups(frame, config)
    assert finding.status == "warning"
    assert finding.found.startswith("1 of 60")
    assert "'1'" in finding.found
    assert whole_groups(frame, config, fixed=True).status == "ok"
    assert whole_groups(frame.drop(columns="group"), config).status == "ok"
