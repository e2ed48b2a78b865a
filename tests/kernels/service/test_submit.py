"""kit submit: one attempt, its score, and the score beside the runs."""

import json

import pytest

from common.loggers.wandb import WandbLogger

from .service_stub import No, submission
from .things import KEY, NAME, SLUG, push_answers

SUBMIT = ("submit", NAME)
VALID = "image_id,PredictionString\na,0.9 10 10 30 30\nb,\n"


@pytest.fixture
def pushed(kit, kaggle, packed):
    """A kernel that ran on Kaggle."""
    push_answers(kaggle, VALID)
    code, text = kit("kernel", "push", NAME)
    assert code == 0, text
    kaggle.asked.clear()
    kaggle.says(ListSubmissions=listed(56))


@pytest.fixture
def data(tmp_path):
    """Where data lies when none is named: a sample submission is enough to check one."""
    folder = tmp_path / "data" / NAME
    folder.mkdir(parents=True)
    sample = "image_id,PredictionString\na,1.0 0 0 50 50\nb,1.0 0 0 50 50\n"
    (folder / "sample_submission.csv").write_text(sample)
    return folder


def listed(reference):
    """Not listed yet, waiting, then scored."""
    pending = submission(reference, "PENDING")
    return [{"submissions": []}, pending, pending, submission(reference, "COMPLETE", "0.6543")]


def test_the_kernel_is_submitted_and_its_score_stands_beside_cv(pushed, kit, kaggle, run):
    code, text = kit(*SUBMIT)
    assert code == 0, text
    (asked,) = (one.json for one in kaggle.of("CreateCodeSubmission"))
    assert asked == {
        "competitionName": SLUG,
        "kernelOwner": "me",
        "kernelSlug": "kernel",
        "kernelVersion": 3,
        "fileName": "submission.csv",
        "submissionDescription": f"{NAME}/baseline/fold0",
    }
    assert "submission 56: complete" in text
    assert "public score: 0.6543\n" in text
    code, table = kit("runs", NAME)
    head, line = table.splitlines()
    assert head.split()[:5] == ["run", "status", "epoch", "f1", "LB"]
    assert line.split() == [run.name, "finished", "3", "0.71", "0.6543"]
    (row,) = json.loads(kit("runs", NAME, "--json")[1])
    assert (row["leaderboard"]["public"], row["leaderboard"]["reference"]) == (0.6543, 56)


def test_a_version_is_submitted_once(pushed, kit, kaggle):
    assert kit(*SUBMIT, "--no-wait")[0] == 0
    assert not kaggle.of("ListSubmissions")
    code, text = kit(*SUBMIT)
    assert code == 0, text
    assert "submitted before, as 56; no attempt is spent" in text
    assert "public score: 0.6543" in text
    assert len(kaggle.of("CreateCodeSubmission")) == 1
    kaggle.says(GetKernelSessionStatus={"status": "RUNNING"})  # a newer one, pushed elsewhere
    assert kit(*SUBMIT, "--version", "2", "-m", "older")[0] == 0
    last = kaggle.of("CreateCodeSubmission")[-1].json
    assert (last["kernelVersion"], last["submissionDescription"]) == (2, "older")


def test_a_private_score_and_the_number_of_runs_are_shown(pushed, kit, kaggle, run, packed):
    facts = json.loads((packed / "packed.json").read_text())
    facts["runs"].append(f"{NAME}/baseline/fold7")
    (packed / "packed.json").write_text(json.dumps(facts))
    done = submission(56, "COMPLETE", "0.6543", privateScore="0.6")
    kaggle.says(ListSubmissions=done)
    code, text = kit(*SUBMIT)
    assert code == 0, text
    assert f"the run {NAME}/baseline/fold7 is not in" in text
    head, line = kit("runs", NAME)[1].splitlines()
    assert "LB  " in head
    assert "LB private" in head
    assert "0.6543 of 2" in line
    assert "0.6 of 2" in line


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("Submission Scoring Error", "kit check --submission"),
        ("Notebook Threw Exception", "hidden images"),
        ("Notebook Timeout", "predict.time_limit"),
        ("Notebook Exceeded Allowed Compute", "memory"),
        ("Submission CSV Not Found", "SUBMISSION in data.py"),
        ("Something new", "page on Kaggle"),
    ],
)
def test_what_kaggle_could_not_score_is_explained(pushed, kit, kaggle, run, said, remedy):
    kaggle.says(ListSubmissions=submission(56, "ERROR", errorDescription=said))
    code, text = kit(*SUBMIT)
    assert code == 1
    assert f"expected to have submission 56 scored, got: {said}; " in text
    assert remedy in text
    assert not run.leaderboard_file.exists()
    kit(*SUBMIT)
    assert len(kaggle.of("CreateCodeSubmission")) == 2  # what failed may be tried again


def test_a_kernel_that_has_not_succeeded_costs_no_attempt(kit, kaggle, packed):
    code, text = kit(*SUBMIT)
    assert code == 2
    assert "kit kernel push" in text
    push_answers(kaggle)
    kaggle.says(GetKernelSessionStatus={"status": "RUNNING"})
    kit("kernel", "push", NAME, "--no-wait")
    code, text = kit(*SUBMIT)
    assert code == 2
    assert "got: running;" in text
    assert not kaggle.of("CreateCodeSubmission")


def test_a_wrong_output_costs_no_attempt(pushed, kit, kaggle, data, packed):
    (packed / "output" / "submission.csv").write_text("image_id,PredictionString\na,\n")
    code, text = kit(*SUBMIT)
    assert code == 2
    assert "expected a valid submission" in text
    assert not kaggle.asked


def test_a_file_is_checked_and_submitted(kit, kaggle, run, data, tmp_path):
    file = tmp_path / "mine.csv"
    file.write_text("image_id,PredictionString\na,\n")
    code, text = kit(*SUBMIT, "--file", file)
    assert code == 2
    assert not kaggle.asked
    file.write_text(VALID)
    kaggle.says(ListSubmissions=listed(55))
    code, text = kit(*SUBMIT, "--file", file, "--run", run.name)
    assert code == 0, text
    assert [asked.body.decode() for asked in kaggle.of("upload")] == [VALID]
    (asked,) = (one.json for one in kaggle.of("CreateSubmission"))
    assert asked["submissionDescription"] == run.name
    assert run.leaderboard["public"] == 0.6543
    kit(*SUBMIT, "--file", file)
    assert len(kaggle.of("CreateSubmission")) == 1
    assert kit(*SUBMIT, "--file", tmp_path / "none.csv")[0] == 2


@pytest.mark.parametrize("answer", [No(500), No(502), No(504)])
def test_an_attempt_is_never_sent_twice(pushed, kit, kaggle, answer, waits):
    kaggle.says(CreateCodeSubmission=[answer, {"message": "ok", "ref": 56}])
    code, text = kit(*SUBMIT)
    assert code == 2
    assert f"(HTTP {answer.status})" in text
    assert len(kaggle.of("CreateCodeSubmission")) == 1


@pytest.mark.parametrize("by_file", [False, True])
def test_a_dry_run_names_every_request_and_sends_none(
    pushed, kit, kaggle, data, tmp_path, by_file, monkeypatch
):
    (tmp_path / "mine.csv").write_text(VALID)
    words = ("--file", tmp_path / "mine.csv") if by_file else ()
    monkeypatch.delenv("KAGGLE_KEY")
    code, text = kit(*SUBMIT, *words, "--dry-run")
    assert code == 0, text
    assert not kaggle.asked
    monkeypatch.setenv("KAGGLE_KEY", KEY)
    kaggle.says(ListSubmissions=submission(55 if by_file else 56, "COMPLETE", "0.5"))
    assert kit(*SUBMIT, *words)[0] == 0
    methods = {line.split("/")[1].split()[0] for line in text.splitlines() if "POST" in line}
    assert methods == set(kaggle.names()) - {"upload"}


def test_the_score_joins_the_runs_wandb_run(pushed, kit, kaggle, run, monkeypatch, read_wandb):
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_X_DISABLE_STATS", "true")
    logger = WandbLogger(run.folder, NAME, run.name, "baseline")
    logger.scalars({"train/loss": 0.5}, global_step=1, epoch=1.0)
    logger.hyperparameters({"lr": 1.0}, {"valid/f1": 0.71})
    logger.finish()
    (first,) = (run.folder / "wandb").glob("offline-run-*")
    code, text = kit(*SUBMIT)
    assert code == 0, text
    (second,) = set((run.folder / "wandb").glob("offline-run-*")) - {first}
    found = read_wandb(second)
    assert found.id == read_wandb(first).id
    assert found.summary["leaderboard/public"] == 0.6543
    assert found.summary["valid/f1"] == 0.71
    assert found.exit_code == 0


def test_wandb_failing_is_a_warning(pushed, kit, kaggle, run, monkeypatch):
    (run.folder / "wandb" / "offline-run-20260101_000000-abcd1234").mkdir(parents=True)

    def fail(*_, **__):
        raise RuntimeError("no service")

    monkeypatch.setattr("common.loggers.wandb.WandbLogger.__init__", fail)
    code, text = kit(*SUBMIT)
    assert code == 0, text
    assert "warning: no score in W&B" in text
    assert run.leaderboard["public"] == 0.6543
