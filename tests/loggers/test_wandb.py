import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
import wandb
from PIL import Image, ImageFile

from common.loggers.factory import make_loggers
from common.loggers.wandb import WandbLogger

AT = {"global_step": 20, "epoch": 2.0}


@pytest.fixture(scope="module")
def settings():
    """Nothing of the machine's own W&B settings reaches the tests."""
    wandb.teardown()  # or the address of its process, soon gone, comes back with the environment
    with pytest.MonkeyPatch.context() as patch:
        for key in [key for key in os.environ if key.startswith("WANDB_")]:
            patch.delenv(key)
        patch.setenv("WANDB_MODE", "offline")
        patch.setenv("WANDB_X_DISABLE_STATS", "true")
        yield patch


@pytest.fixture(scope="module")
def run(settings, tmp_path_factory, picture, read_wandb):
    """One offline run that used every verb."""
    run_dir, home = tmp_path_factory.mktemp("run"), tmp_path_factory.mktemp("home")
    settings.setenv("HOME", str(home))
    logger = WandbLogger(run_dir, "kit", "baseline", "trash", tags=["cpu"])
    logger.scalars({"train/loss": 1.5, "optimizer/lr": 0.1}, global_step=10, epoch=1.0)
    # A step that lies back, as after resuming from an older checkpoint.
    logger.scalars({"train/loss": math.nan}, global_step=5, epoch=0.5)
    logger.scalars({"valid/f1": 0.5}, **AT)
    logger.image("valid/worst", picture, caption="the worst", **AT)
    logger.histogram("valid/losses", np.arange(4), np.arange(5.0), **AT)
    logger.histogram("valid/fine", np.arange(600), np.arange(601.0), **AT)
    for epoch in (2, 3, 4):
        when = {"global_step": 10 * epoch, "epoch": epoch}
        rows = [
            {"id": "a", "image": picture, "prob": np.float32(epoch / 8), "shape": (1, 2)},
            {"id": "b", "image": picture[:20] + np.uint8(epoch == 3), "prob": None},
            {"id": "c", "image": None},
        ]
        logger.table("valid/predictions", rows, **when)
    logger.table("valid/scores", [{"class": "a", "f1": 0.5}], **AT)
    logger.curve("valid/roc", np.arange(3), np.arange(3), axes=("fpr", "tpr"), **AT)
    logger.hyperparameters({"train": {"lr": 0.1}}, {"valid/f1": 0.75})
    weights = run_dir / "weights.pt"
    weights.write_bytes(b"weights" * 1000)
    logger.artifact("best weights/fold 0", weights, "model")
    state = logger.state()
    logger.finish("failed")
    (folder,) = (run_dir / "wandb").glob("offline-run-*")
    found = read_wandb(folder)
    found.run_dir, found.home, found.state = run_dir, home, state
    return found


def test_scalars_keep_their_own_axes_even_when_steps_go_back(run):
    (first, second) = run.column("train/loss")
    assert first == (10, 1.5)
    assert second[0] == 5
    assert math.isnan(float(second[1]))
    assert run.column("valid/f1") == [(20, 0.5)]
    assert all({"global_step", "epoch"} <= row.keys() for row in run.history)
    assert run.axes["train/loss"] == run.axes["optimizer/lr"] == "global_step"
    assert run.axes["valid/f1"] == run.axes["valid/worst"] == "epoch"


def test_pictures_lie_in_the_run_folder_as_jpeg(run, picture):
    ((_, entry),) = run.column("valid/worst")
    assert entry["caption"] == "the worst"
    path = run.folder / "files" / entry["path"]
    assert path.suffix == ".jpg"
    assert np.abs(np.asarray(Image.open(path)).astype(int) - picture).mean() < 6
    for name in ("valid/roc", "valid/fine"):
        ((_, entry),) = run.column(name)
        assert (run.folder / "files" / entry["path"]).is_file()


def test_histogram_keeps_counts_and_edges(run):
    ((_, entry),) = run.column("valid/losses")
    assert entry["values"] == [0, 1, 2, 3]
    assert entry["bins"] == [0, 1, 2, 3, 4]


def test_a_table_keeps_its_rows_and_a_panel_shows_its_pictures_at_every_epoch(run):
    tables = [table_of(run, place) for place in range(3)]
    for epoch, table in zip((2, 3, 4), tables, strict=True):
        assert table["columns"] == ["id", "image", "prob", "shape", "image_file"]
        assert [row[0] for row in table["data"]] == ["a", "b", "c"]
        assert [row[2] for row in table["data"]] == [epoch / 8, None, None]
        assert table["data"][0][3] == "(1, 2)"
    panels = run.column("valid/predictions_images")
    assert [step for step, _ in panels] == [20, 30, 40]
    assert run.axes["valid/predictions_images"] == "epoch"
    for (_, panel), table in zip(panels, tables, strict=True):
        assert panel["filenames"] == [row[-1] for row in table["data"][:2]]
        assert table["data"][2][-1] is None
        sizes = [Image.open(run.folder / "files" / name).size for name in panel["filenames"]]
        assert sizes == [(64, 48), (64, 48)]
    assert panels[1][1]["captions"][0].startswith("id a | prob 0.375")
    assert run.column("valid/scores")


def table_of(run, place):
    _, table = run.column("valid/predictions")[place]
    return json.loads((run.folder / "files" / table["path"]).read_text())


def test_a_picture_that_stays_the_same_is_stored_once(run):
    files = list((run.folder / "files" / "media" / "images" / "valid").glob("predictions_images*"))
    assert len(files) == 3  # a, b and what b was at the third epoch
    panels = [panel["filenames"] for _, panel in run.column("valid/predictions_images")]
    assert panels[0] == panels[2]
    assert panels[0][0] == panels[1][0]
    assert panels[0][1] != panels[1][1]
    # In the tables each of the three stands once.
    cells = [[row[1] for row in table_of(run, place)["data"]] for place in range(3)]
    assert [[cell is not None for cell in column] for column in cells] == [
        [True, True, False], [False, True, False], [False, False, False],
    ]  # fmt: skip
    # What each table uploads: itself, and the pictures in it.
    stored = [files for name, files in run.manifests if "validpredictions" in name]
    stored = [[path for path in files if path.endswith(".jpg")] for files in stored]
    assert [len(files) for files in stored] == [2, 1, 0]
    # From where they are: there is no copy of them.
    assert all((run.folder / "files" / path).is_file() for files in stored for path in files)
    data = [path for path in (run.run_dir / "wandb" / "data").rglob("*") if path.is_file()]
    assert data  # of tables
    assert not any(path.read_bytes().startswith(b"\xff\xd8") for path in data)


def test_config_summary_artifact_and_status_are_kept(run):
    assert run.config["train"] == {"lr": 0.1}
    assert run.summary["valid/f1"] == 0.75
    assert ("best_weights_fold_0", "model") in run.artifacts
    assert run.exit_code == 1


def test_nothing_lands_outside_the_run_folder_and_weights_are_not_copied(run):
    def names(folder):
        return [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]

    assert not [name for name in names(run.home) if "wandb" in name]
    assert [p.name for p in run.run_dir.iterdir() if p.name != "wandb"] == ["weights.pt"]
    sizes = [p.stat().st_size for p in (run.run_dir / "wandb" / "data").rglob("*") if p.is_file()]
    assert 7000 not in sizes
    assert "WANDB_DATA_DIR" not in os.environ


def test_a_resumed_run_keeps_its_id(run, settings, tmp_path, read_wandb):
    assert run.state == {"run_id": run.id}
    titles = {"project": "kit", "name": "n", "group": "g"}
    fan = make_loggers(["wandb"], tmp_path, state={"wandb": run.state}, strict=True, **titles)
    fan.scalars({"train/loss": 0.5}, global_step=11, epoch=1.1)
    assert fan.state() == {"wandb": run.state}
    fan.finish()
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    resumed = read_wandb(folder)
    assert resumed.id == run.id
    assert resumed.column("train/loss") == [(11, 0.5)]
    assert resumed.exit_code == 0


def test_a_disabled_run_takes_every_call(settings, tmp_path: Path, picture):
    logger = WandbLogger(tmp_path, "p", "n", "g", mode="disabled")
    logger.scalars({"a": 1.0}, **AT)
    logger.table("t", [{"x": picture}], **AT)
    logger.hyperparameters({"a": 1}, {"b": 1.0})
    logger.finish()
    assert not list(tmp_path.rglob("*.wandb"))


def test_no_picture_is_decoded_to_be_logged(settings, tmp_path, picture, monkeypatch):
    logger = WandbLogger(tmp_path, "p", "n", "g")
    monkeypatch.setattr(ImageFile.ImageFile, "load", None)
    logger.image("worst", picture, **AT)
    for _ in range(2):
        logger.table("valid/predictions", [{"image": picture}, {"image": picture + 1}], **AT)
    logger.finish()
    assert len(list(tmp_path.rglob("*.jpg"))) == 3


def test_the_address_of_a_process_that_is_gone_costs_no_run(settings, tmp_path, monkeypatch):
    wandb.teardown()
    monkeypatch.setenv("WANDB_SERVICE", f"3-1-unix-{tmp_path}/gone/socket")
    WandbLogger(tmp_path, "p", "n", "g").finish()
    wandb.teardown()
    assert len(list(tmp_path.rglob("*.wandb"))) == 1
