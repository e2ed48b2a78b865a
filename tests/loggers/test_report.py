import base64
import json
import math
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest

from common.figures.confusion import confusion_figures
from common.figures.encode import encode_jpeg
from common.loggers import report
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
        if tag not in {"meta", "img", "source", "br", "link"}:
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
        _, figure = next(confusion_figures(np.diag([epoch, 2]), ["a", "b"]))
        logger.figure("valid/confusion", figure, **at)
    logger.image("valid/worst", picture, caption=NASTY, **at)
    rows = [
        {"image_id": NASTY, "image": picture, "truth": "cat", "pred": "dog", "loss": 2.34567},
        {"image_id": "ok", "image": picture, "truth": "cat", "pred": "cat", "loss": 0.1},
    ]
    logger.table("valid/predictions", rows, **at)
    logger.table("valid/most_confused", [{"actual": "cat", "predicted": "dog", "count": 3}], **at)
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
    return Page(write_report(written).read_text())


def test_report_tells_the_run_at_a_glance(page):
    head = page.text[: page.text.index("How the training went")]
    for word in ("trash/baseline/fold0", "finished", "baseline", "fold 0", "1 h 2 min"):
        assert word in head
    assert "f1 0.6123" in head
    assert head.index("f1 0.6123") < head.index("loss 0.1")
    assert "most often cat is taken for dog: 3 times" in head
    for word in ("Share of each true class epoch 10", "Earlier epochs", "epoch 1", "epoch 2",
                 "Most frequent mistakes", "Roc", "Losses", "2.346", '"lr": 0.01', "3.12.1",
                 "10 ★"):  # fmt: skip
        assert word in page.text


def test_report_is_one_file_with_all_text_escaped(page):
    assert page.tags.count("script") == 1
    assert page.text.count(NASTY) >= 3
    assert len(page.sources) >= 9
    assert all(source.startswith(("data:", "#")) for source in page.sources)


def test_cards_tell_right_from_wrong(run_dir):
    text = write_report(run_dir).read_text()
    assert "not finite" not in text
    assert text.count('class="sample right"') == 1
    assert text.count('class="sample wrong"') == 1


def test_a_picture_that_stays_the_same_over_epochs_is_held_once(run_dir, picture):
    logger, other = LocalLogger(run_dir), np.ascontiguousarray(picture[:, ::-1])
    for epoch, image in ((1, other), (2, picture), (10, picture)):
        row = {"image_id": "ok", "image": image, "truth": "cat", "prediction": f"dog{epoch}"}
        logger.table("valid/predictions", [row], global_step=4 * epoch, epoch=epoch)
    logger.finish()
    page = Page(write_report(run_dir).read_text())
    card = page.text[page.text.index("cat → dog10") :]
    assert card.index("epoch 2 dog2") < card.index("epoch 1 dog1")
    held = [base64.b64decode(s.partition(",")[2]) for s in page.sources if "jpeg" in s]
    assert held.count(encode_jpeg(other)) == 1


def test_sections_stand_in_their_order_and_foreign_looks_among_the_last(page):
    titles = ["How the training went", "What is taken for what", "The same samples", "More",
              "To do it again"]  # fmt: skip
    places = [page.text.rindex(title) for title in titles]
    assert places == sorted(places)
    assert page.text.rindex("Roc") > page.text.rindex("More")


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
        ("figures", "Share of each true class"),
        ("config.json", '"lr": 0.01'),
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


def heavy(folder, epochs, side, rows, looks):
    """Write a run whose pictures are noise, which no format makes small."""
    random = np.random.default_rng(0)
    logger = LocalLogger(folder)
    for epoch in range(1, 1 + epochs):
        at = {"global_step": epoch, "epoch": epoch}
        noise = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
        table = [
            {"image": noise ^ np.uint8(n), "image_id": f"i{n}", "truth": "a", "loss": 1.0}
            for n in range(rows)
        ]
        for name in ("extremes", "activation", "predictions"):
            logger.table(f"valid/{name}", table, **at)
        for n in range(looks):
            logger.image(f"valid/look_{n}", noise, **at)
    logger.finish()
    return folder


@pytest.mark.parametrize("limits", [(5_000_000, 4_000_000), (700_000, 450_000)])
def test_a_page_never_reaches_its_limit_and_every_section_keeps_pictures(
    tmp_path, monkeypatch, limits
):
    assert (report.MAX_BYTES, report.ROOM) == (5_000_000, 4_000_000)
    monkeypatch.setattr(report, "MAX_BYTES", limits[0])
    monkeypatch.setattr(report, "ROOM", limits[1])
    folder = heavy(tmp_path, epochs=3, side=256, rows=32, looks=4)
    (folder / "config.json").write_text(json.dumps({"long": "x" * 6_000_000}))
    path = write_report(folder)
    assert limits[0] / 3 < path.stat().st_size < limits[0]
    page = path.read_text()
    for section in ("extremes", "samples", "attention", "more"):
        part = page[page.index(f'<section id="{section}"') :].partition("</section>")[0]
        assert part.count('<img src="data:image/jpeg') >= 1
    assert ("pictures are left out" in page) == (limits[0] < 5_000_000)


def test_a_small_page_keeps_every_picture_as_it_is(run_dir, picture):
    held = [
        base64.b64decode(s.partition(",")[2])
        for s in Page(write_report(run_dir).read_text()).sources
    ]
    assert encode_jpeg(picture) in held
