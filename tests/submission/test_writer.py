"""What is written is valid and exact, or the old file stays."""

import errno
import os
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from common.errors import KitError
from common.submission.validator import SubmissionRules, check_submission
from common.submission.writer import write_submission

IDS = [f"{i:04d}.jpg" for i in range(12)]
SCORES = np.linspace(-2, 2, 12, dtype=np.float32)


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "sample.csv"
    pd.DataFrame({"Id": IDS, "Label": 0.5}).to_csv(path, index=False)
    return path


@pytest.fixture
def frame() -> pd.DataFrame:
    return pd.DataFrame({"Id": IDS, "Label": SCORES})


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("written")


finite = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=5),
    elements=st.floats(allow_nan=False, allow_infinity=False, width=32),
)
ids = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Z"]), min_size=1)


@settings(max_examples=40, deadline=None)
@given(values=finite, data=st.data())
def test_any_finite_frame_is_valid_and_reads_back_exactly(folder: Path, values, data) -> None:
    names = data.draw(st.lists(ids, min_size=len(values), max_size=len(values), unique=True))
    header = ["id", *(f"class {i}" for i in range(values.shape[1]))]
    sample = pd.DataFrame([[name, *[0.5] * values.shape[1]] for name in names], columns=header)
    sample.to_csv(folder / "sample.csv", index=False)
    frame = pd.DataFrame(values, columns=header[1:]).assign(id=names)
    shuffled = frame.iloc[data.draw(st.permutations(range(len(frame))))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of constant columns
        path = write_submission(shuffled, folder / "s.csv", folder / "sample.csv")
    findings = check_submission(path, folder / "sample.csv")
    assert [finding for finding in findings if finding.severity == "error"] == []
    back = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert back.columns.tolist() == header
    assert back["id"].tolist() == names
    numbers = back[header[1:]].to_numpy().astype(values.dtype)
    np.testing.assert_array_equal(numbers, values)


def test_rows_and_columns_follow_the_sample(sample: Path, frame, tmp_path: Path) -> None:
    mixed = frame.sample(frac=1, random_state=0).assign(fold=1)[["fold", "Label", "Id"]]
    first = write_submission(frame, tmp_path / "a.csv", sample).read_bytes()
    assert write_submission(mixed, tmp_path / "new" / "b.csv", sample).read_bytes() == first


def test_integer_ids_match_a_sample_that_has_them(tmp_path: Path) -> None:
    pd.DataFrame({"id": range(5), "p": 0.5}).to_csv(tmp_path / "sample.csv", index=False)
    frame = pd.DataFrame({"id": range(4, -1, -1), "p": [0.1, 0.2, 0.3, 0.4, 0.6]})
    path = write_submission(frame, tmp_path / "s.csv", tmp_path / "sample.csv")
    assert pd.read_csv(path)["id"].tolist() == [0, 1, 2, 3, 4]


def test_empty_strings_are_kept_and_nan_is_not_taken_for_one(tmp_path: Path) -> None:
    pd.DataFrame({"id": IDS, "rle": ""}).to_csv(tmp_path / "sample.csv", index=False)
    frame = pd.DataFrame({"id": IDS, "rle": ["", "1 3, 7 2"] * 6})
    rules = SubmissionRules(allow_empty=True)
    path = write_submission(frame, tmp_path / "s.csv", tmp_path / "sample.csv", rules)
    assert pd.read_csv(path, keep_default_na=False)["rle"].tolist() == frame["rle"].tolist()
    frame.loc[3, "rle"] = None
    with pytest.raises(KitError, match=r"got NaN in 1, first for '0003.jpg'"):
        write_submission(frame, tmp_path / "s.csv", tmp_path / "sample.csv", rules)


MISTAKES = {
    "got 1 missing .'0011.jpg'.": lambda f: f.iloc[:-1],
    "got 1 not in the sample .'x.jpg'.": lambda f: pd.concat([f, f[:1].assign(Id="x.jpg")]),
    "got 1 more than once .'0002.jpg'.": lambda f: pd.concat([f, f[2:3]]),
    "extension '.jpg' is lost": lambda f: f.assign(Id=f["Id"].str[:4]),
    "did you mean 'label'": lambda f: f.rename(columns={"Label": "label"}),
    "'Label' twice": lambda f: pd.concat([f, f["Label"]], axis=1),
    "got NaN in 2, first for '0001.jpg'": lambda f: f.assign(Label=[0, None, 2, None, *range(8)]),
    "line 5, column 'Label'.*infinite": lambda f: f.assign(Label=[1, 2, 3, np.inf, *range(8)]),
    "line 2, column 'Label'.*at most 3": lambda f: f.assign(Label=f["Label"] + 9),
    "column 'Label'.*text 'False'": lambda f: f.assign(Label=f["Label"] > 0),
}


@pytest.mark.parametrize("message", MISTAKES)
def test_an_invalid_frame_is_refused_and_the_old_file_stays(
    message: str, sample: Path, frame, tmp_path: Path
) -> None:
    path = tmp_path / "out" / "s.csv"
    old = write_submission(frame, path, sample).read_bytes()
    rules = SubmissionRules(low=-3, high=3)
    for target in (path, tmp_path / "out" / "new.csv"):
        with pytest.raises(KitError, match=f"(?s){message}"):
            write_submission(MISTAKES[message](frame), target, sample, rules)
    assert path.read_bytes() == old
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_and_the_old_file_stays(
    code: int, sample: Path, frame, tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "out" / "s.csv"
    old = write_submission(frame, path, sample).read_bytes()

    def no_room(_: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "fsync", no_room)
    with pytest.raises(KitError, match=f"room for s.csv in {path.parent}, got a full disk"):
        write_submission(frame.assign(Label=frame["Label"] + 1), path, sample)
    assert path.read_bytes() == old
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device /dev/full")
def test_a_device_without_room_is_told(frame, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    temporary = Path(f".s.csv.{os.getpid()}.tmp")
    temporary.symlink_to("/dev/full")
    with pytest.raises(KitError, match="got a full disk"):
        write_submission(frame, "s.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_a_file_is_told(frame, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(KitError, match="choose a folder that can be written"):
        write_submission(frame, tmp_path / "file" / "s.csv")
    with pytest.raises(KitError, match="got the directory"):
        write_submission(frame, tmp_path)


def test_suspicious_predictions_are_written_with_a_warning(
    sample: Path, frame, tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match="line 2, column 'Label'.*constant"):
        path = write_submission(frame.assign(Label=0.75), tmp_path / "s.csv", sample)
    assert (pd.read_csv(path)["Label"] == 0.75).all()


def test_without_a_sample_the_file_is_checked_in_itself(frame, tmp_path: Path) -> None:
    path = write_submission(frame, tmp_path / "s.csv")
    np.testing.assert_array_equal(pd.read_csv(path, dtype={"Label": np.float32})["Label"], SCORES)
    wrong = {
        "1 duplicates .'0001.jpg'.": pd.concat([frame, frame[1:2]]),
        "without rows": frame[:0],
        "infinite": frame.assign(Label=frame["Label"] / 0),
        "got NaN": frame.assign(Label=np.nan),
    }
    for message, broken in wrong.items():
        with pytest.raises(KitError, match=message):
            write_submission(broken, tmp_path / "t.csv")
    assert not (tmp_path / "t.csv").exists()
