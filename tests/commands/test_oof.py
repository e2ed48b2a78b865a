"""`kit oof` on experiments whose truth is known, and on what cannot be scored."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from common.config import Config
from common.keys import FOLD, GROUP, IMAGE_ID, LABEL, LOSS
from common.runs import Run

from .experiments import COLOURS, settings, write_experiment, write_folds


def numbers(text: str, pattern: str) -> list[float]:
    found = re.search(pattern, text)
    assert found, text
    return [float(word) for word in found.groups()]


def test_the_interval_and_the_shake_up_are_those_of_a_share(project, runs):
    frame = write_experiment(runs, "baseline", noise=1.0)
    share = frame[["prob_blue", "prob_green", "prob_red"]].to_numpy().argmax(1) == frame[LABEL]
    spread = share.std() / np.sqrt(len(frame))
    code, text = project("oof", "colours", "--public", "0.25")
    assert code == 0, text
    low, high = numbers(
        text, r"accuracy: .*\n  95% interval (\S+) to (\S+), by 1000 draws of 300 s"
    )
    assert low == pytest.approx(share.mean() - 1.96 * spread, abs=0.01)
    assert high == pytest.approx(share.mean() + 1.96 * spread, abs=0.01)
    (shake,) = numbers(text, r"public \(25%\) and private score differ by ± (\S+), 95")
    assert shake == pytest.approx(spread * np.sqrt(1 / 0.25 + 1 / 0.75), rel=0.15)
    assert "300 samples of 3 of 3 folds" in text


def test_groups_of_the_file_are_drawn_whole(project, runs):
    frame = write_experiment(runs, "baseline", noise=1.0)
    for fold, rows in frame.groupby(FOLD):
        groups = [f"g{number // 10}" for number in range(len(rows))]
        file = Run(runs / "colours" / "baseline" / f"fold{fold}").oof_file
        rows.assign(**{GROUP: groups}).to_parquet(file, index=False)
    assert "draws of 10 groups (few, so the interval is rough)" in project("oof", "colours")[1]


def test_against_another_experiment(project, runs):
    write_experiment(runs, "baseline", noise=0.7)
    write_experiment(runs, "worse", noise=2.5)
    code, text = project("oof", "colours", "--against", "worse")
    assert code == 0, text
    gain, low, high, wins, swaps = numbers(
        text,
        r"baseline against worse:\n  accuracy: better by (\S+) \(95% interval (\S+) to (\S+)\), "
        r"in (\d+)% of 1000 draws; public \(30%\) and private part "
        r"disagree who is better in (\d+)%",
    )
    assert 0 < low < gain < high
    assert wins > 99
    assert swaps < 5
    back = project("oof", "colours", "-e", "worse", "--against", "baseline")[1]
    assert f"better by -{gain:.4f}" in back


def test_against_one_that_shares_some_samples_says_how_many(project, runs):
    write_experiment(runs, "baseline")
    write_experiment(runs, "part", noise=2.0)
    Run(runs / "colours" / "part" / "fold1").oof_file.unlink()
    text = project("oof", "colours", "--against", "part")[1]
    assert "on the samples that both have (200 of 300 and 200)" in text


def test_mistakes_say_what_and_what_to_do(project, runs):
    write_experiment(runs, "baseline")
    for words, telling in (
        (("--public", "1.5"), "expected --public of more than 0 and less than 1, got 1.5"),
        (("--against", "basline"), "did you mean 'baseline'?"),
        (("-e", "other"), "kit train colours --experiment other --fold all"),
    ):
        code, text = project("oof", "colours", *words)
        assert code == 2
        assert telling in text
        assert "Traceback" not in text
    write_experiment(runs, "apart", prefix="z")
    code, text = project("oof", "colours", "--against", "apart")
    assert code == 2
    assert "none of them the same" in text


def test_folds_that_were_made_anew_are_noticed(project, runs):
    write_experiment(runs, "baseline")
    runs_of = [Run(runs / "colours" / "baseline" / f"fold{fold}") for fold in (0, 1)]
    both = pd.concat([pd.read_parquet(run.oof_file) for run in runs_of])
    both.assign(**{FOLD: 0}).to_parquet(runs_of[0].oof_file, index=False)
    code, text = project("oof", "colours")
    assert code == 2
    assert "expected every sample of baseline in one fold, 100 are in several: '" in text


def test_the_groups_of_a_training_reach_the_file(project, data, runs):
    """A competition whose folds keep groups together."""
    from .conftest import FAST

    place = runs.parent / "competitions" / "colours" / "data.py"
    text = place.read_text()
    assert "return" in text
    train = pd.read_csv(data / "train.csv")
    grouped = {name: f"g{number // 4}" for number, name in enumerate(train.image)}
    lines = (
        f"\n\n_read = read_train\n_GROUPS = {grouped!r}\n\n\ndef read_train(*args, **options):\n"
    )
    lines += "    frame = _read(*args, **options)\n"
    lines += "    return frame.assign(group=frame.image_id.map(_GROUPS))\n"
    place.write_text(text + lines)
    code, text = project("train", "colours", *FAST, "data.n_folds=2", "data.fold_kind=group")
    assert code == 0, text
    frame = pd.read_parquet(Run(runs / "colours" / "baseline" / "fold0").oof_file)
    assert frame[GROUP].tolist() == [grouped[name] for name in frame[IMAGE_ID]]
    assert {LABEL, LOSS, FOLD} < set(frame.columns)
    config = Config.read(runs / "colours" / "baseline" / "fold0" / "config.json")
    assert config.data.fold_kind == "group"


def test_tuned_thresholds_are_told_beside_their_nested_score_and_kept(project, runs):
    """Labels whose probabilities lie around 0.3 instead of 0.5."""
    random = np.random.default_rng(0)
    truth = (random.random((300, 3)) < 0.4).astype(np.float32)
    said = (0.3 + 0.2 * (truth - 0.5) + 0.1 * random.normal(size=(300, 3))).clip(0, 1)
    columns = {f"label_{name}": truth[:, c] for c, name in enumerate(COLOURS)}
    columns |= {f"prob_{name}": said[:, c] for c, name in enumerate(COLOURS)}
    ids = {IMAGE_ID: [f"i{n}" for n in range(300)], FOLD: np.arange(300) % 3, LOSS: 0.0}
    config = settings(multilabel=True, metric="macro_f1", watch=("log_loss",))
    write_folds(runs, "baseline", pd.DataFrame({**ids, **columns}), config)
    code, text = project("oof", "colours")
    assert code == 0, text
    nested, naive, usual = numbers(
        text,
        r"  threshold per class blue .*, green .*, red .*: (\S+) by that of the other folds; "
        r"(\S+) on the samples that chose it, (\S+) untuned",
    )
    assert usual + 0.2 < nested <= naive
    assert text.count("untuned") == 2  # log_loss has nothing to decide
    kept = json.loads((runs / "colours" / "baseline" / "decisions.json").read_text())
    found = kept["macro_f1"]["threshold per class"]
    assert found["values"] == pytest.approx([0.3] * 3, abs=0.06)
    assert found["nested"] == pytest.approx(nested, abs=1e-4)
    Run(runs / "colours" / "baseline" / "fold0").oof_file.unlink()
    Run(runs / "colours" / "baseline" / "fold1").oof_file.unlink()
    text = project("oof", "colours")[1]
    assert "nested by fold it needs two folds (--fold all)" in text


def test_views_are_scored_on_what_each_fold_never_saw(project, runs, data):
    from .conftest import FAST

    words = (*FAST, "data.n_folds=2", "train.epochs=2")
    code, text = project("train", "colours", *words, "--fold", "all")
    assert code == 0, text
    code, text = project("oof", "colours", "--tta")
    assert code == 0, text
    (pooled,) = numbers(text, r"accuracy: .* pooled (\S+)")
    (plain,) = numbers(text, r"none +1 views  (\S+) ")
    assert plain == pooled
    assert re.search(r"d4 +8 views  \S+  [+-]\S+ +\S+ times the time of one", text)
    assert re.search(r"five_crop +5 views  \S+  [+-]\S+ +\S+ times the time of one", text)
    next((data / "train").iterdir()).unlink()
    code, text = project("oof", "colours", "--tta")
    assert code == 2
    assert "expected" in text.splitlines()[-1]
