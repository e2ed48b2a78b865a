"""Which runs `kit runs` shows, in which order."""

import json

import pytest

from common.config import Config
from common.runs import Run, write_json

SCORES = {"a": (0.5, 1.2, 0.001), "b": (0.9, 0.3, 0.01), "c": (0.7, 0.2, 0.003)}


@pytest.fixture
def runs(tmp_path):
    base = Config(competition="colours", classes=("x", "y"), metric="accuracy")
    for name, (accuracy, loss, lr) in SCORES.items():
        run = Run(tmp_path / "runs" / "colours" / name / "fold0")
        run.folder.mkdir(parents=True)
        config = base.model_copy(update={"train.lr": lr, "model.name": f"net_{name}"})
        write_json(run.config_file, config.model_dump(mode="json"))
        metrics = {"valid/accuracy": accuracy, "valid/loss": loss, "valid/log_loss": loss}
        run.write_summary(status="finished", metrics=metrics, best_epoch=2)
    run = Run(tmp_path / "runs" / "colours" / "begun" / "fold0")
    run.folder.mkdir(parents=True)
    write_json(run.config_file, base.model_dump(mode="json"))


def names(kit, *words) -> str:
    code, text = kit("runs", "--json", *words)
    assert code == 0, text
    return " ".join(row["experiment"] for row in json.loads(text))


@pytest.mark.parametrize(
    ("by", "order"),
    [
        ("accuracy", "b c a begun"),  # more is better
        ("valid/accuracy", "b c a begun"),
        ("loss", "c b a begun"),  # less is
        ("log_loss", "c b a begun"),
    ],
)
def test_the_best_run_comes_first_whichever_way_its_metric_points(kit, runs, by, order):
    assert names(kit, "--sort", by) == order
    lines = kit("runs", "--sort", by)[1].splitlines()
    assert [line.split("/")[1] for line in lines[1:]] == order.split()


@pytest.mark.parametrize(
    ("conditions", "left"),
    [
        (["train.lr>0.001"], {"b", "c"}),
        (["train.lr>=0.003", "accuracy<0.8"], {"c"}),
        (["model.name=net_a"], {"a"}),
        (["model.name!=net_a", "status=finished"], {"b", "c"}),
        (["train.lr=1e-3", "accuracy>0"], {"a"}),  # numbers are compared as numbers
        (["log.loggers=wandb,tensorboard,local", "loss<=0.2"], {"c"}),
        (["train.deterministic=true"], set()),
    ],
)
def test_all_conditions_hold_for_what_is_listed(kit, runs, conditions, left):
    words = [word for condition in conditions for word in ("--where", condition)]
    assert set(names(kit, *words).split()) == left


def test_where_and_sort_work_together_and_nothing_left_is_said(kit, runs):
    assert names(kit, "--where", "accuracy>0.6", "--sort", "accuracy") == "b c"
    code, text = kit("runs", "--where", "accuracy>1", "--sort", "accuracy")
    assert (code, text.startswith("no runs with accuracy>1 in ")) == (0, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--sort", "acuracy"], "did you mean 'accuracy'?"),
        (["--where", "train.lrr=1"], "did you mean 'train.lr'?"),
        (["--where", "accuracy"], "expected a condition such as"),
        (["--where", "model.name>3"], "expected numbers on both sides"),
        (["--sort", "model.name"], "expected numbers to sort by"),
        # it is known, though no run that is left has it
        (["--where", "experiment=begun", "--sort", "accurac"], "did you mean"),
    ],
)
def test_a_wrong_word_is_told_with_the_right_one(kit, runs, words, said):
    code, text = kit("runs", *words)
    assert code == 2
    assert said in text


def test_a_competitions_own_metric_says_which_way_it_points(kit, runs, tmp_path):
    folder = tmp_path / "competitions" / "colours"
    folder.mkdir()
    own = "METRICS = (Metric('accuracy', lambda target, probs: 0.0, maximise=False),)\n"
    (folder / "config.py").write_text(f"from common.metrics.base import Metric\n{own}")
    assert names(kit, "--sort", "accuracy") == "a c b begun"
