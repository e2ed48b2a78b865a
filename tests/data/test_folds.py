import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from common.config import Config
from common.data.folds import fold_frame, load_or_make_folds, make_folds
from common.errors import KitError

quick = settings(max_examples=25, deadline=None)
labels = st.lists(st.sampled_from("abc"), min_size=8, max_size=60).filter(
    lambda values: max(map(values.count, values)) >= 5
)


def make_frame(label, **columns) -> pd.DataFrame:
    ids = [f"{row:05d}" for row in range(len(label))]
    return pd.DataFrame({"image_id": ids, "label": list(label), **columns})


def quiet_folds(*args, **kwargs) -> pd.Series:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return make_folds(*args, **kwargs)


@quick
@given(labels, st.integers(2, 5), st.integers(0, 9))
def test_stratified_shares_differ_by_at_most_one(label, n_folds, seed):
    frame = make_frame(label)
    folds = quiet_folds(frame, "stratified", n_folds, seed, stratify="label")
    assert folds.index.equals(frame.index)
    counts = pd.crosstab(frame["label"], folds).reindex(columns=range(n_folds), fill_value=0)
    assert (counts.max(axis=1) - counts.min(axis=1) <= 1).all()
    assert counts.to_numpy().sum() == len(frame)
    again = quiet_folds(frame, "stratified", n_folds, seed, stratify="label")
    assert folds.equals(again)


@quick
@given(labels, st.data(), st.sampled_from(["group", "stratified_group"]))
def test_groups_stay_whole_and_no_row_is_lost(label, data, kind):
    groups = data.draw(
        st.lists(st.integers(0, 9), min_size=len(label), max_size=len(label)).filter(
            lambda values: len(set(values)) >= 3
        )
    )
    frame = make_frame(label, group=groups)
    folds = quiet_folds(frame, kind, 3, 0, "label" if "strat" in kind else None, "group")
    assert (folds.groupby(frame["group"]).nunique() == 1).all()
    assert folds.between(0, 2).all()


@pytest.mark.parametrize("kind", ["random", "stratified", "multilabel_stratified"])
def test_seed_decides(kind):
    frame = make_frame(["a", "b"] * 30, x=[0, 0, 1] * 20, y=[1, 0, 1, 0] * 15)
    stratify = {"stratified": "label", "multilabel_stratified": ["x", "y"]}.get(kind)
    one, same, other = (make_folds(frame, kind, 4, seed, stratify) for seed in (1, 1, 2))
    assert one.equals(same)
    assert not one.equals(other)
    assert one.value_counts().between(14, 16).all()


def test_multilabel_shares_are_close():
    rng = np.random.default_rng(0)
    targets = (rng.random((400, 3)) < [0.5, 0.2, 0.05]).astype(int)
    frame = make_frame(["-"] * 400, **dict(zip("xyz", targets.T, strict=True)))
    folds = make_folds(frame, "multilabel_stratified", 4, 0, stratify=["x", "y", "z"])
    shares = frame[["x", "y", "z"]].groupby(folds).sum()
    assert (shares.max() - shares.min() <= 3).all()


def test_absent_class_is_warned_of_by_name_and_fold():
    frame = make_frame(["a"] * 9 + ["rare"])
    with pytest.warns(UserWarning, match=r"class 'rare' \(1 images\) is absent from fold \d, \d;"):
        folds = make_folds(frame, "stratified", 3, 0, stratify="label")
    assert len(folds) == 10
    with pytest.warns(UserWarning, match="class 'y' .* is absent from fold"):
        make_folds(
            frame.assign(x=1, y=[1] + [0] * 9), "multilabel_stratified", 3, 0, stratify=["x", "y"]
        )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"kind": "stratifed", "stratify": "label"}, "did you mean 'stratified'"),
        ({"kind": "stratified"}, "expected stratify="),
        ({"kind": "stratified", "stratify": "lable"}, "did you mean 'label'"),
        ({"kind": "stratified", "stratify": "holes"}, "row 2 is NaN"),
        ({"kind": "stratified", "stratify": "image_id"}, "greater than the number of members"),
        ({"kind": "group"}, "expected group="),
        ({"kind": "group", "group": "one"}, "expected at least 3 groups .* got 1"),
        ({"kind": "random", "group": "one"}, "keeps groups"),
        ({"kind": "random", "n_folds": 1}, "at least 2 folds"),
        ({"kind": "random", "n_folds": 7}, "expected at least 7 rows"),
    ],
)
def test_what_cannot_be_split_is_explained(arguments, words):
    frame = make_frame("aabbab", one=[1] * 6, holes=[1, 2, None, 1, 2, 1])
    with pytest.raises(KitError, match=words):
        make_folds(frame, **{"n_folds": 3, "seed": 0, **arguments})


def test_folds_are_written_once_and_reused(tmp_path):
    path, frame = tmp_path / "a" / "folds.csv", make_frame("ab" * 20)
    made = load_or_make_folds(path, frame, "stratified", 4, 7, stratify="label")
    written = path.read_bytes()
    shuffled = frame.sample(frac=1, random_state=1).assign(label="changed")
    again = load_or_make_folds(path, shuffled, "stratified", 4, 7, stratify="label")
    assert made.set_index("image_id")["fold"].equals(
        again.sort_index().set_index("image_id")["fold"]
    )
    assert again["image_id"].tolist() == shuffled["image_id"].tolist()
    assert path.read_bytes() == written
    assert [entry.name for entry in path.parent.iterdir()] == ["folds.csv"]


def test_other_ids_settings_or_groups_are_refused_until_forced(tmp_path):
    path, frame = tmp_path / "folds.csv", make_frame("ab" * 20)
    load_or_make_folds(path, frame, "stratified", 4, 7, stratify="label")
    remedy = "delete .* or run kit folds --force"

    def load(frame=frame, n_folds=4, seed=7, **options):
        return load_or_make_folds(path, frame, "stratified", n_folds, seed, "label", **options)

    assert load(seed=8)["fold"].tolist() == load()["fold"].tolist()
    with pytest.raises(KitError, match=f"n_folds=5, .* has n_folds=4; {remedy}"):
        load(n_folds=5)
    with pytest.raises(KitError, match=f"lacks 0 .* 1 others; without a row: '00039'; {remedy}"):
        load(frame[:-1])
    renamed = frame.replace({"image_id": {"00000": "new"}})
    with pytest.raises(KitError, match=r"lacks 1 .* 1 others; lacking: 'new'; without .*'00000'"):
        load(renamed)
    assert "new" in load(renamed, force=True)["image_id"].tolist()
    assert load(renamed)["fold"].notna().all()


def test_a_file_from_elsewhere_is_checked_by_what_it_holds(tmp_path):
    path, frame = tmp_path / "folds.csv", make_frame("ab" * 2, group=[0, 0, 1, 1])
    options = {"stratify": None, "group": "group"}
    path.write_text("image_id,fold\n00000,0\n00001,0\n00002,1\n00003,1\n")
    assert load_or_make_folds(path, frame, "group", 2, 0, **options)["fold"].tolist() == [
        0,
        0,
        1,
        1,
    ]
    with pytest.raises(KitError, match=r"expected folds 0 to 2, .* has \[0, 1\]"):
        load_or_make_folds(path, frame, "group", 3, 0, **options)
    path.write_text("image_id,fold\n00000,0\n00001,1\n00002,1\n00003,1\n")
    with pytest.raises(KitError, match=r"whole groups, .* parts group '0'"):
        load_or_make_folds(path, frame, "group", 2, 0, **options)
    for text in ("image_id\n00000\n", "image_id,fold\n1,0\n1,0\n", "image_id,fold\n1,x\n"):
        path.write_text(text)
        with pytest.raises(KitError, match="fold"):
            load_or_make_folds(path, frame, "group", 2, 0, **options)


def test_config_says_which_folds(tmp_path):
    frame = make_frame("ab" * 10, group=list("vwxyz") * 4)
    config = Config(competition="x", classes=("a", "b"), metric="f1_macro").model_copy(
        update={"data.fold_kind": "group", "data.n_folds": 5}
    )
    folds = fold_frame(tmp_path / "folds.csv", frame, config)
    assert folds.groupby("group")["fold"].nunique().tolist() == [1] * 5
    assert sorted(folds["fold"].unique()) == list(range(5))
    unlabelled = frame.drop(columns="label")
    assert fold_frame(tmp_path / "folds.csv", unlabelled, config)["fold"].equals(folds["fold"])


def test_folds_that_come_with_the_frame_are_kept(tmp_path):
    path, frame = tmp_path / "folds.csv", make_frame("abab", fold=[1, 0, 0, 1])
    config = Config(competition="x", classes=("a", "b"), metric="accuracy")
    config = config.model_copy(update={"data.n_folds": 2})
    assert fold_frame(path, frame, config).equals(frame)
    saved = pd.read_csv(path, comment="#", dtype={"image_id": str})
    assert saved.equals(frame[["image_id", "fold"]])
    shuffled = frame.iloc[::-1]
    assert fold_frame(path, shuffled, config).equals(shuffled)
    with pytest.raises(KitError, match=r"has others for '00000', '00001'; delete"):
        fold_frame(path, frame.assign(fold=[0, 1, 0, 1]), config)
    with pytest.raises(KitError, match=r"expected folds with kind=stratified, .* kind=fixed"):
        fold_frame(path, frame.drop(columns="fold").assign(label=[0, 1, 0, 1]), config)
    three = config.model_copy(update={"data.n_folds": 3})
    with pytest.raises(KitError, match=r"expected folds 0 to 2 .* got \[0, 1\]; .* data.n_folds"):
        fold_frame(path, frame, three)
