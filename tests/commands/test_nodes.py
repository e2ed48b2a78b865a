"""Two nodes of a cluster, each with its own files, train and predict as one."""

import os
import shutil
from pathlib import Path

import pandas as pd
import pytest

from common import distributed
from common.commands.predict import predict_test
from common.commands.train import train_folds
from common.errors import KitError
from common.runs import Run

from ..several import together
from .conftest import FAST

WORDS = (*FAST, "data.n_folds=3")


@pytest.fixture
def nodes(project, data, tmp_path) -> list[Path]:
    """A folder per node, with the data in each; the first one has runs, and their folds."""
    folders = [tmp_path / f"node{number}" for number in range(2)]
    for folder in folders:
        shutil.copytree(data, folder / "data")
    code, text = project("train", "colours", *WORDS, "--runs", folders[0] / "runs", "--name", "one")
    assert code == 0, text
    return folders


def on_node(folders: list[Path], work) -> str:
    """Work as the only process of a node; return the line of what went wrong."""
    os.environ["LOCAL_RANK"] = "0"
    folder = folders[int(os.environ["RANK"])]
    try:
        work(folder / "data", folder / "runs")
    except KitError as error:
        return str(error)
    return ""


def train(data: Path, runs: Path) -> None:
    train_folds("colours", WORDS, "baseline", "0", False, "two", data, runs)


def predict(data: Path, runs: Path) -> None:
    predict_test("colours", (), ("colours/one/fold0",), runs / "two.csv", data, runs)


def test_the_first_node_alone_writes_and_its_folds_hold_for_all(nodes):
    runs = nodes[0] / "runs" / "colours"
    folds = pd.read_csv(runs / "folds.csv", skiprows=1)
    changed = folds.assign(fold=(folds.fold + 1) % 3)  # by hand, or of another seed
    changed.to_csv(runs / "folds.csv", index=False)
    assert together(2, on_node, nodes, train) == ["", ""]
    run = Run(runs / "two" / "fold0")
    assert run.status == "finished"
    told = pd.read_parquet(run.oof_file)
    assert sorted(told.image_id) == sorted(changed[changed.fold == 0].image_id)
    assert not (nodes[1] / "runs").exists()


def test_nodes_predict_together_and_the_first_one_writes(nodes, project):
    data, runs = (nodes[0] / part for part in ("data", "runs"))
    shutil.copytree(runs, nodes[1] / "runs")
    alone = runs / "alone.csv"
    where = ("--data", data, "--runs", runs, "--out", alone)
    assert project("predict", "colours", "--run", "colours/one/fold0", *where)[0] == 0
    assert together(2, on_node, nodes, predict) == ["", ""]
    assert (runs / "two.csv").read_bytes() == alone.read_bytes()
    assert not (nodes[1] / "runs" / "two.csv").exists()


def test_other_images_on_one_node_are_a_line_on_all(nodes):
    table = nodes[1] / "data" / "train.csv"
    pd.read_csv(table).iloc[::-1].to_csv(table, index=False)
    for told in together(2, on_node, nodes, train):
        assert "expected the same images for every process, got 24 on " in told
        assert "in the same order" in told
    assert distributed.size() == 1
