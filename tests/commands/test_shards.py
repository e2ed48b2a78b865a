"""Data moved into shards trains the same weights."""

import json
import shutil

import pytest

from .things import TINY, TINY_OF, add_boxes, add_masks


def train(kit, name: str, data, runs, tiny=TINY) -> str:
    words = (*tiny, "data.img_size=32", "log.looks=none", "log.loggers=[]")
    code, text = kit("train", name, *words, "--data", data, "--runs", runs)
    assert code == 0, text
    rows = json.loads(kit("runs", "--json", "--runs", runs)[1])
    assert len(rows) == 1
    return rows[0]["weights_sha256"]


def move(kit, name: str, data, tmp_path):
    """Put the data into shards and take the files away."""
    shards = tmp_path / "shards"
    code, text = kit("shards", name, "--data", data, "--out", shards, "--mb", 1)
    assert code == 0, text
    assert f"next: kit train {name} --data {shards}" in text
    shutil.rmtree(data)
    assert not [path for path in shards.rglob("*") if path.suffix in (".jpg", ".png")]
    return shards


def test_classes(project, data, tmp_path):
    before = train(project, "colours", data, tmp_path / "before")
    shards = move(project, "colours", data, tmp_path)
    assert train(project, "colours", shards, tmp_path / "after") == before
    run = tmp_path / "after" / "colours" / "baseline" / "fold0"
    assert project("predict", "colours", "--data", shards, "--run", run)[0] == 0


@pytest.mark.parametrize(("task", "add"), [("segmentation", add_masks), ("detection", add_boxes)])
def test_masks_and_boxes(kit, things, tmp_path, task, add):
    add(things)
    assert kit("new", "things", "--task", task)[0] == 0
    before = train(kit, "things", things, tmp_path / "before", TINY_OF[task])
    shards = move(kit, "things", things, tmp_path)
    assert train(kit, "things", shards, tmp_path / "after", TINY_OF[task]) == before


def test_nothing_is_written_over_or_into_the_data(project, data):
    (data.parent / "there").mkdir()
    (data.parent / "there" / "mine.txt").write_text("x")
    code, text = project("shards", "colours", "--data", data, "--out", data.parent / "there")
    assert (code, "holds files; they are left alone" in text) == (2, True)
    code, text = project("shards", "colours", "--data", data, "--out", data / "shards")
    assert (code, "outside the data" in text) == (2, True)
