import pytest

from common.errors import KitError
from common.kaggle.inputs import can_read, find_competition, find_dataset, has_file


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("KIT_KAGGLE_INPUT", str(tmp_path))
    return tmp_path


def put(root, place):
    (root / place).mkdir(parents=True)
    (root / place / "a.csv").write_text("")
    return root / place


@pytest.mark.parametrize(
    "place", ["birds", "competitions/birds", "some/where/else", "datasets/me/birds-copy/birds"]
)
def test_a_competition_is_found_wherever_it_is_mounted(root, place):
    there = put(root, place)
    assert find_competition("birds", has_file("a.csv")) == there


@pytest.mark.parametrize(
    "place",
    [
        *("wheels", "datasets/me/wheels", "models/me/wheels", "deep/er/wheels"),
        *("wheels/pytorch/default/1", "models/me/wheels/pytorch/default/1"),
    ],
)
def test_a_data_set_is_found_wherever_it_is_mounted(root, place):
    ref = "me/wheels/pytorch/default/1" if "pytorch" in place else "me/wheels"
    there = put(root, place)
    assert find_dataset(ref, has_file("*.csv")) == there


def test_the_named_place_wins_over_another_that_fits(root):
    put(root, "a-copy")
    there = put(root, "competitions/birds")
    assert find_competition("birds", has_file("a.csv")) == there


def test_what_is_there_is_shown_with_the_reason(root):
    put(root, "competitions/birds")

    def read(folder):
        raise KitError("expected test.csv, found none")

    with pytest.raises(KitError) as error:
        find_competition("birds", can_read(read))
    assert "expected test.csv" in str(error.value)
    assert "a.csv" in str(error.value)


def test_a_bug_of_a_reader_is_no_missing_folder(root):
    put(root, "birds")
    with pytest.raises(ZeroDivisionError):
        find_competition("birds", can_read(lambda folder: 1 / 0))
