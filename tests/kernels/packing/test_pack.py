"""A trained run, packed, and run as a program of its own."""

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from common.config import PredictConfig
from common.data.pseudo_table import folds_digest
from common.kernels_folder import kernels

from .conftest import COLOURS, FAST


def pack(kit, wheels, *words):
    code, text = kit("kernel", "pack", "colours", "--owner", "me", "--wheels", wheels, *words)
    assert code == 0, text
    return text


def play(tmp_path, packed, data, slug="birds-2026", **told) -> tuple[int, str, Path]:
    """Run the kernel in Kaggle's layout; return exit code, what it printed, its working folder."""
    inputs, working = tmp_path / "input", tmp_path / "working"
    facts = json.loads((packed / "packed.json").read_text())
    if not inputs.exists():
        (inputs / "competitions").mkdir(parents=True)
        working.mkdir()
        (inputs / "competitions" / slug).symlink_to(data)
        for part, ref in facts["datasets"].items():
            (inputs / "datasets" / ref).parent.mkdir(parents=True, exist_ok=True)
            (inputs / "datasets" / ref).symlink_to(packed / part)
    script = next((packed / "kernel").glob("*.py"))
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "OMP_NUM_THREADS")}
    places = {"KIT_KAGGLE_INPUT": str(inputs), "KIT_KAGGLE_WORKING": str(working)}
    done = subprocess.run(
        [sys.executable, "-I", script],
        env=kept | places | {"WANDB_MODE": "offline"} | told,
        cwd=working,
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr, working


@pytest.fixture(autouse=True)
def quick(request, monkeypatch):
    """Prove that the code is complete in one test alone: it imports everything anew."""
    if "by_itself" not in request.node.name:
        monkeypatch.setattr(kernels("packing.code"), "prove", lambda code, modules: None)


@pytest.fixture
def packed(tmp_path) -> Path:
    return tmp_path / "runs" / "colours" / "packed" / "predict"


def test_a_kernel_predicts_by_itself_what_kit_predict_predicts(
    trained, wheels, tmp_path, packed, data
):
    text = pack(trained, wheels)
    assert "each imported from the package alone" in text
    facts = json.loads((packed / "packed.json").read_text())
    for name, size in facts["files"].items():
        assert (packed / name).stat().st_size == size
    # The fold's own images as the test set: out-of-fold predictions come out bit for bit.
    oof = pd.read_parquet(tmp_path / "runs" / "colours" / "baseline" / "fold0" / "oof.parquet")
    for file in (data / "test").iterdir():
        file.unlink()
    for image_id in oof["image_id"]:
        (data / "test" / image_id).write_bytes((data / "train" / image_id).read_bytes())
    sample = pd.DataFrame({"image": oof["image_id"], "colour": "blue"})
    sample.to_csv(data / "sample_submission.csv", index=False)
    code, text, working = play(tmp_path, packed, data)
    assert code == 0, text
    assert text.index("torch 2") < text.index("data: ")
    found = pd.read_csv(working / "submission.csv")
    best = oof[[f"prob_{name}" for name in COLOURS]].to_numpy().argmax(1)
    assert found["image"].tolist() == oof["image_id"].tolist()
    assert found["colour"].tolist() == [COLOURS[place] for place in best]
    account = json.loads((working / "kernel.json").read_text())
    assert (account["images"], account["broken"], account["given_up"]) == (len(oof), [], [])
    code, text = trained("predict", "colours", "--data", data, "--out", tmp_path / "own.csv")
    assert code == 0, text
    own = (tmp_path / "own.csv").read_bytes()
    assert own == (working / "submission.csv").read_bytes()
    (working / "submission.csv").unlink()
    code, text, _ = play(tmp_path, packed, data, KIT_GPUS="2")  # as on a machine with two
    assert (code, "failed" in text, "predicting in 2 processes" in text) == (0, False, True), text
    assert own == (working / "submission.csv").read_bytes()
    again = json.loads((working / "kernel.json").read_text())
    assert (again["images"], again["broken"], again["given_up"]) == (len(oof), [], [])


def test_a_blend_that_is_no_weighted_mean_is_packed_whole(trained, wheels, tmp_path, packed, data):
    words = ("--data", data, *FAST, "train.lr=0.01", "--name", "other")
    assert trained("train", "colours", *words)[0] == 0
    members = ("--run", "baseline", "--run", "other")
    code, text = trained("blend", "colours", *members, "--how", "rank", "--weights", "0.3,0.7")
    assert code == 0, text
    words = ("pack", "colours", "--wheels", wheels, "--run", "blend-rank", "predict.weights=1,2")
    code, text = trained("kernel", *words)
    assert (code, "predict.weights or a blend" in text) == (2, True), text
    text = pack(trained, wheels, "--run", "blend-rank")
    assert "blend.pt" in text
    facts = json.loads((packed / "packed.json").read_text())
    assert (facts["options"]["blend"], facts["options"]["weights"]) == ("blend.pt", [])
    (working := tmp_path / "working").mkdir()
    for folder in ("checkpoints", "kernel"):  # as they lie on Kaggle, away from the runs
        shutil.copytree(packed / folder, working / folder)
    words = ("--data", data, "--run", "blend-rank", "--out", tmp_path / "own.csv")
    code, text = trained("predict", "colours", *words)
    assert code == 0, text
    shutil.rmtree(tmp_path / "runs")
    story = importlib.import_module("competitions.colours.predict")
    checkpoints = [working / "checkpoints" / name for name in facts["checkpoints"]]
    options = PredictConfig.model_validate(facts["options"])
    written = story.predict(checkpoints, data, working / "submission.csv", options)
    assert (tmp_path / "own.csv").read_bytes() == written.read_bytes()


def test_a_broken_image_is_no_exception(trained, wheels, tmp_path, packed, data):
    pack(trained, wheels)
    broken = sorted((data / "test").iterdir())[0]
    broken.write_bytes(broken.read_bytes()[:300])
    code, text, working = play(tmp_path, packed, data)
    assert code == 0, text
    assert broken.name in text
    assert json.loads((working / "kernel.json").read_text())["broken"] == [broken.name]


def test_what_is_not_attached_is_a_clear_failure(trained, wheels, tmp_path, packed, data):
    pack(trained, wheels)
    (data / "sample_submission.csv").unlink()
    code, text, working = play(tmp_path, packed, data)
    assert code != 0
    last = text.split("KitError: ")[-1]
    assert "expected the data of the competition" in last
    assert "train.csv" in last  # the tree of what is there
    assert not (working / "submission.csv").exists()


def test_every_field_that_kaggle_reads_is_written(trained, wheels, packed):
    pack(trained, wheels, "kernel.gpu=false", 'kernel.datasets=["me/more"]')
    metadata = json.loads((packed / "kernel" / "kernel-metadata.json").read_text())
    assert metadata["enable_internet"] is False
    assert metadata["is_private"] is True
    assert metadata["enable_gpu"] is False
    assert metadata["id"] == "me/colours-predict"
    assert metadata["dataset_sources"][-1] == "me/more"
    data_set = json.loads((packed / "checkpoints" / "dataset-metadata.json").read_text())
    assert data_set == {
        "id": "me/colours-checkpoints",
        "title": "colours-checkpoints",
        "licenses": [{"name": "other"}],
    }


def test_a_notebook_is_the_same_program(trained, wheels, packed):
    pack(trained, wheels)
    script = (packed / "kernel" / "predict.py").read_text()
    pack(trained, wheels, "--notebook")
    book = json.loads((packed / "kernel" / "predict.ipynb").read_text())
    source = "".join(book["cells"][0]["source"])
    assert not (packed / "kernel" / "predict.py").exists()
    assert source.partition("CODE = ")[2] == script.partition("CODE = ")[2]


def test_secrets_and_paths_in_a_competition_are_refused(trained, wheels, tmp_path, packed):
    pack(trained, wheels)
    before = (packed / "kernel" / "predict.py").read_bytes()
    story = tmp_path / "competitions" / "colours" / "predict.py"
    clean = story.read_text()
    key = 'API_KEY = "' + "a1" * 20 + '"'
    for line, reason in ((key, "expected no secret"), ("X = '/home/me/x'", "expected paths that")):
        story.write_text(f"{clean}\n{line}\n")
        code, text = trained("kernel", "pack", "colours", "--wheels", wheels)
        assert code == 2
        assert reason in text
        assert "a1a1a1" not in text
        assert (packed / "kernel" / "predict.py").read_bytes() == before  # the earlier one stays
    story.write_text(clean)
    pack(trained, wheels)


def test_a_package_that_was_not_finished_is_packed_anew(trained, wheels, packed, tmp_path):
    code, text = trained("kernel", "pack", "colours", "--wheels", tmp_path)  # which holds none
    assert code == 2
    assert "expected a wheel of" in text
    pack(trained, wheels)


def test_the_same_run_twice_is_refused(trained, wheels):
    twice = ["--run", "colours/baseline/fold0"] * 2
    code, text = trained("kernel", "pack", "colours", "--wheels", wheels, *twice)
    assert code == 2
    assert "expected runs of different names" in text


def test_checkpoints_carry_only_what_predicting_needs(trained, wheels, tmp_path, packed):
    import torch

    pack(trained, wheels)
    whole = tmp_path / "runs" / "colours" / "baseline" / "fold0" / "checkpoints" / "last.pt"
    light = torch.load(packed / "checkpoints" / "baseline-fold0.pt", weights_only=True)
    assert "optimizer" not in str(list(light))
    assert (packed / "checkpoints" / "baseline-fold0.pt").stat().st_size < whole.stat().st_size / 2


def test_places_of_this_machine_stay_here(trained, wheels, packed):
    import torch

    pack(trained, wheels)
    light = torch.load(packed / "checkpoints" / "baseline-fold0.pt", weights_only=True)
    assert light["config"]["model"]["weights"] == "none"
    place = "model.weights=/home/me/resnet.pth"
    code, text = trained("kernel", "pack", "colours", "--train", "--wheels", wheels, place)
    assert code == 2
    assert "expected paths that exist on Kaggle, got" in text
    assert "the config" in text


def test_other_files_are_never_deleted(trained, wheels, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("x")
    code, text = trained("kernel", "pack", "colours", "--packed", tmp_path / "mine")
    assert code == 2
    assert "expected a new folder" in text
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_what_does_not_exist_is_told_before_a_session_is_spent(kit, wheels, data):
    code, text = kit("new", "colours", "--data", data)
    assert code == 0, text
    code, text = kit("kernel", "pack", "colour", "--wheels", wheels)
    assert (code, "did you mean 'colours'?" in text) == (2, True), text
    code, text = kit("kernel", "pack", "colours", "--train", "--fold", "9", "--wheels", wheels)
    assert (code, "expected --fold of 0 to 4 or all, got '9'" in text) == (2, True), text
    assert pack(kit, wheels, "--train").splitlines()[-1] == (
        "next:   kit kernel push colours --train"
    )


def write_labels(runs, data):
    """Label the test images as fold 0's model might have, for the folds that `kit folds` makes."""
    folds = pd.read_csv(runs / "colours" / "folds.csv", skiprows=1)
    names = sorted(path.name for path in (data / "test").iterdir())
    table = pd.DataFrame({"image_id": names, "path": [f"{data}/test/{name}" for name in names]})
    table = table.assign(label="red", weight=1.0, fold=0, made_by="colours/baseline/fold0")
    table.assign(folds=folds_digest(folds)).to_parquet(runs / "labels.parquet", index=False)
    return f"data.pseudo={runs / 'labels.parquet'}"


def test_a_training_kernel_carries_its_pseudo_labels_and_goes_on_with_its_earlier_output(
    kit, wheels, tmp_path, data
):
    code, text = kit("new", "colours", "--data", data)
    assert code == 0, text
    words = [word for word in FAST if not word.startswith("train.epochs")]
    assert kit("folds", "colours", "--data", data)[0] == 0
    code, text = kit("kernel", "pack", "colours", "--train", "data.pseudo=gone.parquet")
    assert (code, "expected pseudo-labels in 'gone.parquet'" in text) == (2, True), text
    ours = ("data.n_folds", "log.looks")  # as kit folds has them; and a look that names samples
    words = [word for word in words if not word.startswith(ours)]
    words += [write_labels(tmp_path / "runs", data), "log.looks=label_issues"]
    pack(kit, wheels, "--train", *words, "train.epochs=2", 'kernel.kernels=["me/colours-train"]')
    packed = tmp_path / "runs" / "colours" / "packed" / "train"
    metadata = json.loads((packed / "kernel" / "kernel-metadata.json").read_text())
    assert metadata["kernel_sources"] == ["me/colours-train"]
    assert "me/colours-pseudo" in metadata["dataset_sources"]
    assert str(tmp_path) not in (packed / "kernel" / "train.py").read_text()
    assert set(pd.read_parquet(packed / "pseudo" / "pseudo.parquet").path) == {""}
    code, text, working = play(tmp_path, packed, data)
    assert code == 0, text
    assert "secrets: none" in text
    run = working / "runs" / "colours" / "baseline" / "fold0"
    assert json.loads((run / "summary.json").read_text())["status"] == "finished"
    assert (run / "report.html").exists()
    used = json.loads((run / "config.json").read_text())["data"]["pseudo"]
    assert used == "runs/colours/pseudo.parquet"
    losses = pd.read_parquet(run / "train_losses.parquet")
    assert set(pd.read_parquet(tmp_path / "runs" / "labels.parquet").image_id) & set(
        losses.image_id
    )
    (tmp_path / "input" / "colours-train").mkdir()
    (working / "runs").rename(tmp_path / "input" / "colours-train" / "runs")
    code, text, working = play(tmp_path, packed, data)
    assert code == 0, text
    assert "going on with the run of an earlier session" in text
