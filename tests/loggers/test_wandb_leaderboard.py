"""Which W&B run a score goes to."""

from common.loggers.wandb_leaderboard import log_leaderboard, wandb_id


def test_the_newest_run_of_the_folder_is_meant(tmp_path):
    assert wandb_id(tmp_path) is None
    for name in ("offline-run-20260102_000000-new1", "run-20260101_235959-old1", "latest-run"):
        (tmp_path / "wandb" / name).mkdir(parents=True)
    (tmp_path / "wandb" / "data").mkdir()
    assert wandb_id(tmp_path) == "new1"


def test_a_run_that_was_never_logged_is_left_alone(tmp_path):
    log_leaderboard(tmp_path, {"leaderboard/public": 0.5})
    assert not list(tmp_path.iterdir())
