import json
import math
import shutil
import subprocess
from html.parser import HTMLParser

import numpy as np
import pytest

from common.figures.confusion import confusion_figure
from common.loggers.local import LocalLogger
from common.loggers.report import write_report

NASTY = "<script>alert('x')</script> & \"quoted\""


class Page(HTMLParser):
    """Collects the tags, the text and the picture sources of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.words, self.sources, self.open = [], [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        given = dict(attributes)
        self.sources += [given[key] for key in ("src", "srcset", "href") if key in given]
        if tag not in {"meta", "img", "source", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in {"style", "script"}:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def written(tmp_path_factory, picture):
    """A run folder with something of everything."""
    folder = tmp_path_factory.mktemp("written")
    logger = LocalLogger(folder)
    for epoch in (1, 2, 10):
        at = {"global_step": 4 * epoch, "epoch": epoch}
        for step in range(4):
            loss = 1.0 / (epoch + step)
            moment = {"global_step": 4 * epoch - 3 + step, "epoch": epoch - 1 + (step + 1) / 4}
            logger.scalars({"train/loss": loss}, **moment)
        logger.scalars({"valid/loss": 1 / epoch, "valid/f1": 0.5 + epoch / 100}, **at)
        figure = confusion_figure(np.diag([epoch, 2]), ["a", "b"], True)
        logger.figure("valid/confusion", figure, **at)
    logger.image("valid/worst", picture, caption=NASTY, **at)
    rows = [
        {"image_id": NASTY, "image": picture, "truth": "cat", "pred": "dog", "loss": 2.34567},
        {"image_id": "ok", "image": picture, "truth": "cat", "pred": "cat", "loss": 0.1},
    ]
    logger.table("valid/predictions", rows, **at)
    logger.table("valid/most_confused", [{"actual": "cat", "count": 3}], **at)
    logger.curve("valid/roc", np.array([0, 0.5, 1]), np.array([0, math.nan, 1]),
                 axes=("x", "y"), **at)  # fmt: skip
    logger.histogram("valid/losses", np.array([1, 2]), np.array([0.0, 1, 2]), **at)
    logger.finish()
    summary = {
        "name": "trash/baseline/fold0", "competition": NASTY, "experiment": "baseline", "fold": 0,
        "status": "finished", "best_epoch": 10, "seconds": 3725,
        "metrics": {"valid/loss": 0.1, "valid/f1": 0.61234},
    }  # fmt: skip
    (folder / "summary.json").write_text(json.dumps(summary))
    (folder / "config.json").write_text(json.dumps({"train": {"lr": 0.01}, "note": NASTY}))
    (folder / "environment.json").write_text(json.dumps({"python": "3.12.1"}))
    return folder


@pytest.fixture
def run_dir(written, tmp_path):
    """A run folder of one's own."""
    return shutil.copytree(written, tmp_path / "run")


@pytest.fixture(scope="module")
def page(written):
    return Page(render(write_report(written)))


def render(path):
    """Return the page as a browser builds it where there is one, else as it is written."""
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        return path.read_text()
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", path.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout


def test_report_tells_the_run_at_a_glance(page):
    head = page.text[: page.text.index("How the training went")]
    for word in ("trash/baseline/fold0", "finished", "baseline", "fold 0", "1 h 2 min"):
        assert word in head
    assert "f1 0.6123" in head
    assert head.index("f1 0.6123") < head.index("loss 0.1")
    for word in ("Confusion epoch 10", "Earlier epochs", "epoch 1", "epoch 2", "Most confused",
                 "Roc", "Losses", "2 of 2", "2.346", '"lr": 0.01', "3.12.1", "10 ★"):  # fmt: skip
        assert word in page.text


def test_report_is_one_file_without_scripts_and_with_all_text_escaped(page):
    assert "script" not in page.tags
    assert page.text.count(NASTY) >= 3
    assert len(page.sources) >= 9
    assert all(source.startswith("data:image/") for source in page.sources)


def test_cards_tell_right_from_wrong(run_dir):
    text = write_report(run_dir).read_text()
    assert "not finite" not in text
    assert text.count('class="sample right"') == 1
    assert text.count('class="sample wrong"') == 1


def test_a_loss_that_became_nan_is_announced(run_dir):
    logger = LocalLogger(run_dir)
    logger.scalars({"train/loss": math.nan}, global_step=41, epoch=10.5)
    logger.scalars({"train/loss": math.nan}, global_step=42, epoch=10.75)
    logger.finish()
    assert "train/loss became nan at step 41 (epoch 10.5)" in write_report(run_dir).read_text()


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ("summary.json", "1 h 2 min"),
        ("metrics.jsonl", "How the training went"),
        ("looks.jsonl", "Roc"),
        ("figures", "Confusion epoch"),
        ("config.json", "Config"),
    ],
)
def test_a_missing_piece_is_left_out_and_nothing_else(run_dir, page, missing, words):
    path = run_dir / missing
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    less = Page(write_report(run_dir).read_text())
    assert words in page.text
    assert words not in less.text
    assert "Environment" in less.text
    assert not less.open


def test_an_empty_folder_still_has_a_report(tmp_path):
    page = Page(write_report(tmp_path).read_text())
    assert tmp_path.name in page.text
    assert "h2" not in page.tags


def test_writing_again_replaces_the_page(run_dir):
    first = write_report(run_dir).read_text()
    assert write_report(run_dir).read_text() == first
    assert not list(run_dir.glob(".report*"))
