"""What `kit runs` shows of several runs."""

from common.commands.runs import table_of


def run(name, status, metrics, **settings):
    config = {"train": {"lr": 0.001, "epochs": 2, **settings}, "classes": ["a", "b"]}
    names = {"name": name, "status": status, "best_epoch": 2 if metrics else None}
    return {**names, "metrics": metrics, "config": config}


def test_scores_and_the_settings_that_differ_stand_in_columns():
    head, *lines = table_of(
        [
            run("c/long/fold0", "finished", {"valid/loss": 0.51234, "valid/f1": 0.75}, epochs=20),
            run("c/b/fold0", "failed", None, lr=0.01),
        ]
    )
    assert head.split() == ["run", "status", "epoch", "f1", "loss", "train.lr", "train.epochs"]
    assert lines[0].split() == ["c/long/fold0", "finished", "2", "0.75", "0.5123", "0.001", "20"]
    assert lines[1].split() == ["c/b/fold0", "failed", "-", "-", "-", "0.01", "2"]
    assert lines[0].index("finished") == lines[1].index("failed") == head.index("status")


def test_of_one_run_nothing_differs():
    head, line = table_of([run("c/b/fold0", "finished", {"valid/f1": 0.5})])
    assert head.split() == ["run", "status", "epoch", "f1"]
    assert line.split() == ["c/b/fold0", "finished", "2", "0.5"]


def test_the_leaderboard_stands_beside_the_competitions_own_score():
    alone = {"public": 0.65432, "private": None, "runs": ["c/b/fold0"]}
    blend = {"public": 0.7, "private": 0.69, "runs": ["c/b/fold0", "c/b/fold1"]}
    scores = {"valid/loss": 0.5, "valid/f1": 0.75}
    rows = [run(f"c/b/fold{number}", "finished", scores) for number in range(3)]
    rows[0]["leaderboard"], rows[1]["leaderboard"] = alone, blend
    head, first, second, third = table_of(rows)
    assert head.split() == ["run", "status", "epoch", "f1", "LB", "LB", "private", "loss"]
    assert first.split() == ["c/b/fold0", "finished", "2", "0.75", "0.6543", "-", "0.5"]
    assert second.split()[4:] == ["0.7", "of", "2", "0.69", "of", "2", "0.5"]
    assert third.split()[4:] == ["-", "-", "0.5"]
