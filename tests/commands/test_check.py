"""`kit check` from end to end: a healthy set passes, each fault is a row with its remedy."""

import pandas as pd
import pytest
from PIL import Image

from common.commands.checks.table import table_lines, verdict
from common.data.audit.finding import ok, problem, warning

from .conftest import FAST


@pytest.fixture
def files(data):
    """Return a function from a part to its files, real ones instead of links."""
    for path in [*(data / "train").iterdir(), *(data / "test").iterdir()]:
        content = path.read_bytes()
        path.unlink()
        path.write_bytes(content)
    return lambda part: sorted((data / part).iterdir())


def test_a_healthy_set_gives_no_warning(project, tmp_path):
    code, text = project("check", "colours", *FAST, "data.n_folds=3", "train.lr=0.01")
    assert code == 0, text
    assert "warning" not in text
    assert "problem" not in text
    assert "all is well" in text
    for check in ("train files", "duplicates across folds", "loss at start", "one batch by heart"):
        assert f"ok       {check}" in text
    with Image.open(tmp_path / "runs" / "colours" / "check" / "preview.jpg") as picture:
        assert min(picture.size) > 300
    assert not (tmp_path / "runs" / "colours" / "folds.csv").exists()


def test_a_copy_across_folds_and_one_in_test_are_shown(project, files, tmp_path):
    train, test = files("train"), files("test")
    project("folds", "colours")
    folds = pd.read_csv(tmp_path / "runs" / "colours" / "folds.csv", comment="#")
    ids = folds.groupby("fold").image_id.first()
    first, second = ids[0], ids[1]
    (train[0].parent / second).write_bytes((train[0].parent / first).read_bytes())
    with Image.open(train[0].parent / folds.image_id[5]) as image:
        image.resize((96, 80)).save(test[3], quality=70)
    code, text = project("check", "colours", "--no-model")
    assert code == 0, text
    assert "warning  duplicates across folds" in text
    assert "warning  train images in test" in text
    assert first in text
    assert test[3].name in text
    folder = tmp_path / "runs" / "colours" / "check"
    table = pd.read_csv(folder / "duplicates.csv")
    assert len(table) == len(train) + len(test)
    assert (table["size"] > 1).sum() == 4
    assert (folder / "duplicates.jpg").stat().st_size > 1000


def test_a_broken_file_leaves_with_code_1(project, files):
    broken = files("train")[4]
    broken.write_bytes(broken.read_bytes()[:500])
    code, text = project("check", "colours", *FAST)
    assert code == 1
    assert "problem  train files" in text
    assert broken.name in text
    assert "Traceback" not in text


def test_findings_line_up_and_wrap():
    findings = [
        ok("short", "fine"),
        warning("a longer name", "word " * 30, "do this " * 12),
        problem("x", "bad", "mend it"),
    ]
    lines = table_lines(findings, width=80)
    assert max(map(len, lines)) <= 80
    column = lines[0].index("fine")
    assert all(line[:column].strip() == "" or line[column - 2 : column] == "  " for line in lines)
    assert sum("-> " in line for line in lines) == 2
    assert "1 problem, 1 warning" in verdict(findings)
    assert verdict(findings[:1]) == "all is well"
