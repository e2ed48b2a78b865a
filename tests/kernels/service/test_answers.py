"""Each answer that says no becomes one line: expected, got, remedy."""

import base64
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from common.kernels_folder import FOLDER, kernels

from .service_stub import Dropped, No, saved
from .things import KEY, NAME, SLUG, push_answers

PYTHONPATH = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
PUSH, DOWNLOAD = ("kernel", "push", NAME), ("download", NAME)
SUBMIT = ("submit", NAME)
PAGE = f"https://www.kaggle.com/competitions/{SLUG}"
LIMIT = "You have reached the maximum number of daily submissions"
QUOTA = "Maximum weekly GPU quota of 30.00 hours reached."

CASES = [
    (DOWNLOAD, "DownloadDataFiles", No(401, "Unauthenticated"), "~/.kaggle/access_token"),
    (
        DOWNLOAD,
        "DownloadDataFiles",
        No(403, "You must accept this competition's rules"),
        f"open {PAGE}/rules, accept",
    ),
    (
        DOWNLOAD,
        "DownloadDataFiles",
        No(403, "Permission 'competitions.participate' was denied"),
        f"{PAGE}/rules",
    ),
    (DOWNLOAD, "DownloadDataFiles", No(404, "Not found"), "correct slug in config.py"),
    (DOWNLOAD, "DownloadDataFiles", No(429, "Too many requests"), "wait some minutes"),
    (DOWNLOAD, "DownloadDataFiles", No(503, "down"), "Kaggle's side"),
    (DOWNLOAD, "DownloadDataFiles", Dropped(), "check the network"),
    (SUBMIT, "CreateCodeSubmission", No(400, LIMIT), "until midnight UTC"),
    (SUBMIT, "CreateCodeSubmission", No(400, "The deadline has passed"), "no submissions any more"),
    (SUBMIT, "CreateCodeSubmission", No(403, "denied"), f"{PAGE}/rules"),
    (SUBMIT, "CreateCodeSubmission", No(404, "Kernel not found"), "correct slug"),
    (SUBMIT, "CreateCodeSubmission", No(500, "oops"), f"first see {PAGE}/submissions"),
    (SUBMIT, "CreateCodeSubmission", Dropped(), f"first see {PAGE}/submissions"),
    (SUBMIT, "CreateCodeSubmission", {"message": "Could not submit"}, "correct what Kaggle names"),
    (SUBMIT, "GetKernelSessionStatus", No(404, "Not found"), "kit kernel pack, kit kernel push"),
    (PUSH, "SaveKernel", No(401, "Unauthenticated"), "KAGGLE_API_TOKEN"),
    (PUSH, "SaveKernel", No(403, "Phone verification needed"), "verify your account"),
    (PUSH, "SaveKernel", No(409, "taken"), "choose another name"),
    (PUSH, "SaveKernel", No(500, "oops"), "Kaggle's side"),
    (PUSH, "SaveKernel", saved(error=QUOTA), "pack without a GPU"),
    (PUSH, "SaveKernel", saved(error="The requested title is already in use"), "another name"),
    (PUSH, "SaveKernel", saved(invalidDatasetSources=["me/kit-wheels"]), "dataset me/kit-wheels"),
    (PUSH, "SaveKernel", saved(invalidCompetitionSources=[SLUG]), f"competition {SLUG}"),
    (PUSH, "CreateDataset", No(413, "too large"), "half-precision"),
    (PUSH, "CreateDataset", {"status": "error", "error": "title in use"}, "choose another name"),
    (PUSH, "StartBlobUpload", No(503, "down"), "Kaggle's side"),
    (PUSH, "GetDatasetStatus", No(500, "down"), "Kaggle's side"),
]


@pytest.mark.parametrize(("words", "method", "answer", "remedy"), CASES)
def test_an_answer_is_one_line_with_a_remedy(kit, kaggle, packed, words, method, answer, remedy):
    push_answers(kaggle)
    if words == SUBMIT:
        assert kit(*PUSH)[0] == 0
    kaggle.says(**{method: answer})
    code, text = kit(*words)
    assert code == 2, text
    (line,) = [line for line in text.splitlines() if line.startswith("error: ")]
    assert re.match(r"error: expected .+, got.*[:(].+", line)
    assert remedy in line
    assert KEY not in text
    assert "127.0.0.1" not in text


@pytest.mark.parametrize("state", ["FAILED", "DELETED"])
def test_a_data_set_in_error_is_not_mounted(kit, kaggle, packed, state):
    push_answers(kaggle)
    absent = No(404, "Not found")
    kaggle.says(GetDatasetStatus=[absent, absent, {"status": "BLOBS_RECEIVED"}, {"status": state}])
    code, text = kit(*PUSH)
    assert code == 2
    assert f"expected the data set me/kit-wheels to become ready, got: {state.lower()};" in text
    assert not kaggle.of("SaveKernel")


def test_a_kernel_of_another_is_not_pushed(kit, kaggle, packed, monkeypatch):
    monkeypatch.setenv("KAGGLE_USERNAME", "somebody")
    code, text = kit(*PUSH)
    assert code == 2
    assert "pack again with --owner somebody" in text
    assert not kaggle.asked


def test_a_changed_or_missing_packed_folder_is_told(kit, kaggle, packed):
    (packed / "checkpoints" / "b-fold0.pt").write_text("cut")
    assert f"run: kit kernel pack {NAME}" in kit(*PUSH)[1]
    assert "expected a packed kernel" in kit(*PUSH, "--train")[1]
    assert "expected a packed kernel" in kit(*PUSH, "--packed", packed.parent)[1]
    assert "holds" not in kit(*PUSH)[1]
    assert not kaggle.asked


def test_what_kaggle_asks_for_is_waited_for_and_then_goes_on(kit, kaggle, packed, waits):
    push_answers(kaggle)
    busy = No(429, "slow down", {"Retry-After": "17"})
    state = [{"status": "RUNNING"}, busy, No(502), Dropped(), {"status": "COMPLETE"}]
    kaggle.says(GetKernelSessionStatus=state)
    code, text = kit(*PUSH)
    assert code == 0, text
    assert "HTTP 429; asking again in 17 s" in text
    assert 17.0 in waits
    assert "HTTP 502; asking again in 4 s" in text
    assert "no answer (" in text


def test_a_kernel_is_not_saved_twice_for_an_answer_that_was_lost(kit, kaggle, packed):
    push_answers(kaggle)
    kaggle.says(SaveKernel=[Dropped(), saved()])
    assert kit(*PUSH)[0] == 2
    assert len(kaggle.of("SaveKernel")) == 1


@pytest.mark.parametrize("words", [PUSH, DOWNLOAD])
def test_without_a_network(kit, kaggle, packed, monkeypatch, words):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    code, text = kit(*words)
    assert code == 2
    (line,) = [line for line in text.splitlines() if line.startswith("error: ")]
    assert "no answer (" in line
    assert "check the network" in line


def in_a_fresh_process(tmp_path, **more):
    """Push there, without the account of the tests: the package logs in where it is imported."""
    taken = ("KAGGLE_USERNAME", "KAGGLE_KEY")
    environment = {key: value for key, value in os.environ.items() if key not in taken}
    environment |= {"KIT_RUNS": str(tmp_path / "runs"), "PYTHONPATH": PYTHONPATH, **more}
    return subprocess.run(
        [sys.executable, "-c", "from common.cli import main; main()", *PUSH],
        capture_output=True, text=True, cwd=tmp_path, env=environment,
    )  # fmt: skip


@pytest.mark.parametrize("token", [None, "expired-token-0123456789"])
def test_without_credentials_it_says_where_they_go(kaggle, packed, tmp_path, token):
    kaggle.says(IntrospectToken={"active": False})
    done = in_a_fresh_process(tmp_path, **({"KAGGLE_API_TOKEN": token} if token else {}))
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("error: expected to log in to Kaggle, got: no valid credentials; make")
    assert set(kaggle.names()) <= {"IntrospectToken"}


def test_a_key_from_a_file_is_used_and_hidden(kaggle, packed, tmp_path, offline):
    key = "a-key-that-only-a-file-knows"
    (offline / ".kaggle").mkdir()
    account = offline / ".kaggle" / "kaggle.json"
    account.write_text(json.dumps({"username": "me", "key": key}))
    account.chmod(0o600)
    kaggle.says(GetDatasetStatus=No(400, f"bad {key}"))
    done = in_a_fresh_process(tmp_path)
    assert done.returncode == 2
    assert "got: bad *** (HTTP 400)" in done.stderr
    assert key not in done.stdout + done.stderr
    asked = kaggle.of("GetDatasetStatus")[0].headers["Authorization"].removeprefix("Basic ")
    assert base64.b64decode(asked).decode() == f"me:{key}"


def test_a_token_is_enough(kit, kaggle, packed, monkeypatch):
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("KAGGLE_API_TOKEN", "a-token-0123456789")
    push_answers(kaggle)
    code, text = kit(*PUSH)
    assert code == 0, text
    assert kaggle.of("SaveKernel")[0].headers["Authorization"] == "Bearer a-token-0123456789"


def test_one_file_imports_the_package():
    importing = re.compile(r"^\s*(from|import) kaggle", re.MULTILINE)
    found = {file.name for file in FOLDER.rglob("*.py") if importing.search(file.read_text())}
    assert found == {"service.py"}


def test_the_log_is_read_whole_torn_or_plain():
    read = kernels("service.log").read_log
    assert read('[{"data": "a\\nb"},\n{"data": "c\\n"}]') == ["a", "bc"]
    assert read('[{"data": "a\\n"},\n{"data": "b\\n"}\n,{"da') == ["a", "b", ',{"da']
    assert read("plain\ntext") == ["plain", "text"]
    assert read("") == []
