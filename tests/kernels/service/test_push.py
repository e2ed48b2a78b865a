"""kit kernel push against a stand-in for Kaggle: all up, the run followed, its output down."""

import base64
import json

import pytest

from common.kernels_folder import kernels

from .service_stub import No, saved
from .things import KEY, NAME, log, push_answers, write_packed

PUSH = ("kernel", "push", NAME)


@pytest.fixture
def pushed(kit, kaggle, packed):
    """A first push that went through: code and text."""
    push_answers(kaggle)
    code, text = kit(*PUSH)
    assert code == 0, text
    return text


def test_data_sets_and_kernel_go_up_and_the_output_comes_down(pushed, kaggle, packed):
    uploads = {asked.body for asked in kaggle.of("upload")}
    assert uploads == {b"bytes of one-1.0-py3-none-any.whl", b"bytes of b-fold0.pt"}
    wheels, checkpoints = (asked.json for asked in kaggle.of("CreateDataset"))
    assert (wheels["slug"], checkpoints["slug"]) == ("kit-wheels", "kit-checkpoints")
    assert wheels["isPrivate"] is checkpoints["isPrivate"] is True
    (kernel,) = (asked.json for asked in kaggle.of("SaveKernel"))
    assert kernel["text"] == "print('predicting')\n"
    assert kernel["enableInternet"] is False
    assert kernel["datasetDataSources"] == ["me/kit-wheels", "me/kit-checkpoints"]
    names = kaggle.names()
    assert names.index("SaveKernel") > max(i for i, n in enumerate(names) if n == "CreateDataset")
    output = packed / "output"
    assert sorted(p.name for p in output.iterdir()) == [
        "kernel.json",
        "kernel.log",
        "submission.csv",
    ]
    assert (output / "kernel.log").read_text() == "loading\nimage 1\ndone\n"
    state = json.loads((packed / "pushed.json").read_text())["kernel"]
    assert (state["ref"], state["version"], state["status"]) == ("me/kernel", 3, "complete")
    assert state["url"] == "https://www.kaggle.com/code/me/kernel"


def test_progress_is_told_once_per_change(pushed):
    lines = pushed.splitlines()
    states = [line.split(" (")[0] for line in lines if line.startswith("me/kernel: ")]
    assert states == [f"me/kernel: {state}" for state in ("queued", "running", "complete")]
    assert "me/kit-wheels: blobs_received (0 s)" in lines
    assert [line for line in lines if "| " in line] == ["  | loading", "  | image 1"]
    assert "10 images in 50 s (start 20 s), peak memory 3.5 GB" in lines
    assert "given up for time: tta after 5 images" in lines
    assert lines[-1] == f"next: kit submit {NAME}"


def test_a_data_set_is_waited_for_before_the_kernel_is_pushed(pushed, kaggle):
    names = kaggle.names()
    made = len(names) - 1 - names[::-1].index("CreateDataset")
    assert names[made + 1 : names.index("SaveKernel")] == ["GetDatasetStatus"] * 2


def test_what_is_unchanged_is_not_sent_again(pushed, kit, kaggle, packed):
    kaggle.asked.clear()
    code, text = kit(*PUSH)
    assert code == 0, text
    assert "nothing changed since version 3" in text
    assert not {"SaveKernel", "upload", "CreateDatasetVersion"} & set(kaggle.names())
    assert (packed / "output" / "submission.csv").exists()


def test_changed_checkpoints_become_a_version_and_run_again(pushed, kit, kaggle, packed):
    (packed / "checkpoints" / "b-fold0.pt").write_text("byteZ of b-fold0.pt")
    kaggle.asked.clear()
    kaggle.says(SaveKernel=saved(4))
    code, text = kit(*PUSH)
    assert code == 0, text
    (version,) = (asked.json for asked in kaggle.of("CreateDatasetVersion"))
    assert version["datasetSlug"] == "kit-checkpoints"
    assert version["body"]["versionNotes"] == f"{NAME}/baseline/fold0 at abc123"
    assert [asked.body for asked in kaggle.of("upload")] == [b"byteZ of b-fold0.pt"]
    assert json.loads((packed / "pushed.json").read_text())["kernel"]["version"] == 4


def test_a_data_set_that_was_deleted_on_kaggle_is_made_anew(pushed, kit, kaggle):
    del kaggle.datasets["kit-wheels"]
    kaggle.asked.clear()
    assert kit(*PUSH)[0] == 0
    assert [asked.json["slug"] for asked in kaggle.of("CreateDataset")] == ["kit-wheels"]


def test_without_waiting_a_second_call_follows_the_run(kit, kaggle, packed):
    push_answers(kaggle)
    assert kit(*PUSH, "--no-wait")[0] == 0
    assert not kaggle.of("GetKernelSessionStatus")
    code, text = kit(*PUSH)
    assert code == 0, text
    assert len(kaggle.of("SaveKernel")) == 1
    assert "me/kernel: complete" in text


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB", "img_size"),
        ("OSError: [Errno 28] No space left on device", "/kaggle/working is full"),
        ("ModuleNotFoundError: No module named 'smp'", "kernels/wheels.txt"),
        ("FileNotFoundError: [Errno 2] '/kaggle/input/x/train.csv'", "rules"),
        ("IndexError: list index out of range", "kit kernel rehearse"),
    ],
)
def test_a_failed_run_ends_with_its_log_and_what_it_means(kit, kaggle, packed, line, remedy):
    push_answers(kaggle)
    kaggle.says(
        GetKernelSessionStatus=[
            {"status": "RUNNING"},
            {"status": "ERROR", "failureMessage": "Notebook Threw Exception"},
        ],
        ListKernelSessionOutput={"files": [], "log": log("step\n" * 50, f"{line}\n")},
    )
    code, text = kit(*PUSH)
    assert code == 1
    *_, last, said = text.splitlines()
    assert last == f"  | {line}"
    assert said.startswith("failed (error): Notebook Threw Exception; ")
    assert remedy in said
    assert text.count("| step") == 50 + 19
    kaggle.asked.clear()
    kit(*PUSH)
    assert len(kaggle.of("SaveKernel")) == 1  # a failed version is run once more


def test_an_interrupt_says_how_to_follow_it_again(kit, kaggle, packed, monkeypatch):
    push_answers(kaggle)

    def sleep(_):
        if "GetKernelSessionStatus" in kaggle.names():
            raise KeyboardInterrupt

    monkeypatch.setattr(kernels("service.watch").time, "sleep", sleep)
    code, text = kit(*PUSH)
    assert code == 130
    assert f"me/kernel goes on; follow it again by: kit kernel push {NAME}" in text


def test_a_training_kernel_is_pushed_from_its_own_folder(kit, kaggle, packed, run):
    folder = packed.with_name("train")
    write_packed(folder, run.config, [], "train")
    push_answers(kaggle)
    code, text = kit(*PUSH, "--train")
    assert code == 0, text
    assert (folder / "output" / "kernel.log").exists()
    assert not (packed / "pushed.json").exists()
    assert "kit submit" not in text


def test_files_that_lead_out_of_the_folder_are_refused(kit, kaggle, packed):
    push_answers(kaggle)
    out = kaggle.file("x", b"x") | {"fileName": "../../../x"}
    kaggle.says(ListKernelSessionOutput={"files": [out], "log": ""})
    code, text = kit(*PUSH)
    assert code == 2
    assert "'../../../x'" in text
    assert not list(packed.parents[3].glob("x"))


def test_an_output_goes_on_after_a_break(kit, kaggle, packed):
    push_answers(kaggle, "image_id,PredictionString\n" + "a,\n" * 1000)
    kaggle.drops = [100, 50]
    code, text = kit(*PUSH)
    assert code == 0, text
    assert (packed / "output" / "submission.csv").read_text().count("a,") == 1000
    assert "no answer" in text or "connection ended" in text


def test_a_dry_run_names_every_request_and_sends_none(kit, kaggle, packed, monkeypatch):
    for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"):
        monkeypatch.delenv(name)
    code, text = kit(*PUSH, "--dry-run")
    assert code == 0, text
    assert not kaggle.asked
    assert not (packed / "pushed.json").exists()
    assert "PUT  b-fold0.pt, 19 bytes" in text
    monkeypatch.setenv("KAGGLE_USERNAME", "me")
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    push_answers(kaggle)
    assert kit(*PUSH)[0] == 0
    methods = {line.split("/")[1].split()[0] for line in text.splitlines() if "POST" in line}
    assert methods == set(kaggle.names()) - {"upload", "download"}


def test_a_lost_upload_creates_no_data_set(kit, kaggle, packed):
    push_answers(kaggle)
    kaggle.says(upload=No(400, "bad part"))
    code, text = kit(*PUSH)
    assert code == 2
    assert "expected to upload all 1 files" in text
    assert not kaggle.of("CreateDataset")


def test_the_key_goes_to_kaggle_and_nowhere_else(kit, kaggle, packed, tmp_path):
    push_answers(kaggle)
    kaggle.says(SaveKernel=No(400, f"bad request with {KEY}"))
    code, text = kit(*PUSH)
    assert code == 2
    assert "bad request with ***" in text
    wanted = base64.b64encode(f"me:{KEY}".encode()).decode()
    assert kaggle.of("SaveKernel")[0].headers["Authorization"] == f"Basic {wanted}"
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert not [path for path in written if KEY.encode() in path.read_bytes()]
