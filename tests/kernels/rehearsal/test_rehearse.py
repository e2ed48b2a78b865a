"""A rehearsal from the command line, what its kernel finds, and what it leaves behind."""

import json
import os
from pathlib import Path

import pytest

from common.kernels_folder import kernels

from .rehearsals import KERNEL, NAME, plant, write_data, write_packed

INPUT_FILES = "sorted(str(p.relative_to(INPUT)) for p in INPUT.rglob('*') if p.is_file())"
SAVE = "(WORKING / 'seen.json').write_text(json.dumps({}))"


def saved(seen, name: str = "public"):
    trial = next(trial for trial in seen.trials if trial.name == name)
    return json.loads((trial.outcome.working / "seen.json").read_text())


@pytest.fixture
def quick(monkeypatch, environment):
    stage = kernels("rehearsal.stage")
    monkeypatch.setattr(stage, "make_environment", lambda *_: environment)
    monkeypatch.setattr(stage, "LONGER", 0)


def test_the_command_says_that_kaggle_would_take_it(kit, tmp_path, quick):
    packed, data = write_packed(tmp_path / "packed"), write_data(tmp_path / "data")
    code, text = kit("kernel", "rehearse", NAME, "--packed", packed, "--data", data)
    assert code == 0, text
    assert "public test set, 4 images" in text
    assert "hidden test set, 10 images" in text
    assert text.count("\npassed ") == 8
    assert text.endswith("Kaggle would take it\n")


def test_the_command_leaves_with_1_and_shows_the_end_of_the_log(kit, tmp_path, quick):
    script = plant("at_start", "print('loading weights')", "raise ValueError('no weights')")
    packed, data = write_packed(tmp_path / "packed", script), write_data(tmp_path / "data")
    code, text = kit("kernel", "rehearse", NAME, "--packed", packed, "--data", data)
    assert code == 1
    assert "  | loading weights" in text
    assert "failed       Notebook Threw Exception" in text
    assert "ValueError: no weights" in text


def test_a_folder_that_is_not_packed_is_a_mistake_of_usage(kit, tmp_path):
    data = write_data(tmp_path / "data")
    code, text = kit("kernel", "rehearse", NAME, "--packed", tmp_path / "no", "--data", data)
    assert code == 2
    assert "kit kernel pack" in text


def test_another_competitions_folder_is_refused(kit, tmp_path):
    packed, data = write_packed(tmp_path / "packed"), write_data(tmp_path / "data")
    code, text = kit("kernel", "rehearse", "wheat_detection", "--packed", packed, "--data", data)
    assert code == 2
    assert "to hold wheat_detection's kernel that predicts, got alaska2_classification's" in text


def test_the_kernel_finds_kaggles_layout(seen, doors):
    found = saved(seen(plant("at_start", SAVE.format(INPUT_FILES))))
    data = "competitions/alaska2-image-steganalysis"
    assert f"{data}/Test/0001.jpg" in found
    assert f"{data}/Cover/00001.jpg" in found
    assert "datasets/someone/checkpoints/baseline-fold0.pt" in found
    assert not any(name.endswith("dataset-metadata.json") for name in found)


def test_places_are_kaggles_where_they_can_be_mounted(seen, able):
    if not able.mounts:
        pytest.skip("this system has no mount namespaces")
    found = saved(seen(plant("at_start", SAVE.format("[os.getcwd(), str(INPUT), __file__]"))))
    assert found == ["/kaggle/working", "/kaggle/input", "/kaggle/src/predict.py"]
    assert not Path("/kaggle").exists()


def test_nothing_of_this_machines_environment_gets_in(seen, doors, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "secret")
    monkeypatch.setenv("KIT_RUNS", "somewhere")
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    found = saved(seen(plant("at_start", SAVE.format("dict(os.environ)"))))
    assert found["KAGGLE_IS_COMPETITION_RERUN"] == "1"
    assert found["KAGGLE_KERNEL_RUN_TYPE"] == "Batch"
    assert not {"WANDB_API_KEY", "KIT_RUNS", "PYTHONPATH"} & set(found)
    assert found["HOME"] != os.environ["HOME"]


def test_the_hidden_test_set_takes_the_public_ones_place(seen, doors):
    seen = seen(plant("at_start", SAVE.format(INPUT_FILES)))
    public, hidden = (
        {n for n in saved(seen, part) if "/Test/" in n} for part in ("public", "hidden")
    )
    assert len(public) == 4
    assert len(hidden) == 10
    assert not public & hidden
    kept = "competitions/alaska2-image-steganalysis/Cover/00001.jpg"
    assert kept in saved(seen, "hidden")


def test_processes_may_talk_to_one_another(seen, doors):
    talk = (
        "import socket",
        "server = socket.socket(); server.bind(('127.0.0.1', 0)); server.listen()",
        "socket.create_connection(server.getsockname()).close()",
        "socket.getaddrinfo('localhost', 80)",
    )
    trial = seen(plant("at_start", *talk)).trials[0]
    assert trial.outcome.code == 0, trial.outcome.log
    assert trial.outcome.network == ()


def test_a_program_that_is_no_python_is_caught_in_a_namespace(seen, able):
    if not able.network:
        pytest.skip("this system has no network namespaces")
    call = "subprocess.run(['bash', '-c', 'exec 3<>/dev/tcp/203.0.113.9/80'])"
    trial = seen(plant("at_start", "import subprocess", call)).trials[0]
    assert len(trial.outcome.network) == 1
    assert "another program" in trial.outcome.network[0]


def test_a_program_that_is_no_python_cannot_write_to_the_data(seen, doors, tmp_path):
    call = "subprocess.run(['sh', '-c', f'echo spoilt > {DATA}/Test/0001.jpg'])"
    data = write_data(tmp_path / "data")
    before = (data / "Test" / "0001.jpg").read_bytes()
    outcome = seen(plant("at_start", "import subprocess", call), data=data).trials[0].outcome
    assert (data / "Test" / "0001.jpg").read_bytes() == before
    if os.geteuid() == 0 and doors == "none":  # to root, a file's mode is no obstacle
        assert any("has changed" in text for text in outcome.writes)


def test_what_the_kernel_started_ends_with_it(seen, doors):
    start = (
        "import subprocess",
        "words = [sys.executable, '-c', 'import time; time.sleep(300)']",
        "child = subprocess.Popen(words, start_new_session=True)",
        SAVE.format("child.pid"),
    )
    assert not Path(f"/proc/{saved(seen(plant('at_start', *start)))}").exists()


def test_the_kernels_own_clock_gives_the_start(seen):
    found = seen(plant("per_image", "time.sleep(0.02)"), hidden=1000).estimate
    assert found.images == 1000
    assert found.per_image >= 0.019  # the account is rounded
    assert found.seconds == pytest.approx(found.start + 1000 * found.per_image)


def test_a_notebook_is_rehearsed_as_its_cells(tmp_path):
    packed = write_packed(tmp_path / "packed")
    head, tail = KERNEL.split("#PLANT")
    cells = [{"cell_type": "markdown", "source": ["# words"]}]
    cells += [{"cell_type": "code", "source": [part]} for part in (head, tail)]
    notebook = packed / "kernel" / "predict.ipynb"
    notebook.write_text(json.dumps({"cells": cells}))
    metadata = packed / "kernel" / "kernel-metadata.json"
    metadata.write_text(json.dumps({"code_file": "predict.ipynb"}))
    kernel = kernels("packing.packed").Packed.find(NAME, packed)
    script = kernels("rehearsal.script").write_script(kernel.script, tmp_path)
    assert script.read_text() == f"{head}\n\n{tail}\n"
