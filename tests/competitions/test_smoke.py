"""Every competition goes from its demo data to a valid submission by the README's commands."""

from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from common.competition import Competition, competitions_dir, list_competitions
from common.keys import PATH

QUICK = ("log.loggers=local", "data.num_workers=0", "train.epochs=1", "train.batch_size=8")
# Fewer and smaller pictures than the demo's own; a competition that is not named gets those.
SMALL = {
    "alaska2_classification": ({"covers": 60, "test": 12}, ()),
    "inria_segmentation": ({"size": 200}, ("data.img_size=96",)),
    "wheat_detection": ({"train": 24, "test": 4}, ("data.img_size=96",)),
}
SHIPPED = [name for name in list_competitions() if (competitions_dir() / name / "demo.py").exists()]


@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize("name", SHIPPED)
def test_demo_data_to_a_valid_submission(name, kit, tmp_path, monkeypatch):
    sizes, words = SMALL.get(name, ({}, ()))
    demo = Competition(name).module("demo")
    monkeypatch.setattr(demo, "write_demo", partial(demo.write_demo, **sizes))
    quick = ("--experiment", "demo", *QUICK, *words)

    def run(*words: object) -> str:
        code, text = kit(*words)
        assert code == 0, text
        return text

    run("demo", name)
    checked = run("check", name, *quick)
    assert "train:" in checked
    assert "preview.jpg" in checked
    assert "finished: " in run("train", name, *quick)
    folder = tmp_path / "runs" / name / "demo" / "fold0"
    written = {path.name for path in folder.iterdir()}
    assert {"config.json", "environment.json", "metrics.jsonl", "oof.parquet"} <= written
    assert {"report.html", "figures", "checkpoints"} <= written
    assert list((folder / "figures").iterdir())
    assert len(pd.read_parquet(folder / "oof.parquet")) > 0
    assert "1 of" in run("oof", name, "--experiment", "demo")
    assert "(valid)" in run("predict", name, "--run", f"{name}/demo/fold0")
    submission = next(tmp_path.glob("submission.*"))
    assert "valid" in run("check", name, "--submission", submission)
    spoilt = Competition(name).module("data").read_test(tmp_path / "data" / name)[PATH].iloc[1]
    Path(spoilt).write_bytes(b"cut off")
    with pytest.warns(UserWarning, match=f"{Path(spoilt).name}' gets a fallback prediction"):
        assert "(valid)" in run("predict", name, "predict.tta=flip")
    run("check", name, "--submission", submission)
