"""The report of a real run in a real browser."""

import json
import re

import numpy as np
import pytest
import torch

from common.config import Config
from common.data.build import fold_loaders
from common.learners.classification import make_learner
from common.learners.recipe import train_run
from common.loggers.local import LocalLogger
from common.loggers.report import write_report
from common.metrics.choose import choose_metrics
from common.models.classifier import make_classifier
from common.runs import Run

WIDTHS = {"laptop": 1280, "phone": 390}
SECTIONS = ["training", "confusion", "curves", "confidence", "extremes", "labels", "samples",
            "attention", "groups", "gradients", "time", "config"]  # fmt: skip
INVISIBLE = """[...document.images].filter(i => !(i.complete && i.naturalWidth > 0)
    || (i.checkVisibility() && !(i.getBoundingClientRect().width > 8))).length"""
HIDDEN = "[...document.images].filter(i => !i.checkVisibility() && !i.closest('details')).length"
ENLARGED = "document.querySelector('dialog[open] .stage img')"


@pytest.fixture(scope="module")
def report(tmp_path_factory, colours):
    """The report of two epochs with every look on, its label issues added."""
    folder = tmp_path_factory.mktemp("runs") / "colours" / "baseline" / "fold0"
    looks = {"loggers": ("local",), "breakdown": ("source",), "gradients_every": 1, "strict": True}
    config = Config(
        competition="colours", classes=("blue", "green", "red"), metric="accuracy"
    ).model_copy(
        update={
            "data.img_size": 64, "data.augment": "flip", "data.num_workers": 0, "data.n_folds": 3,
            "model.name": "test_resnet", "model.weights": "none", "train.epochs": 2,
            "train.batch_size": 8, "log": looks,
        }
    )  # fmt: skip
    frame = colours.assign(source=np.arange(len(colours)) % 2)
    torch.manual_seed(0)
    metrics = choose_metrics(config)
    loaders = fold_loaders(frame, 0, config)
    learner = make_learner(make_classifier(config), *loaders, metrics, config)
    run = Run.create(folder, config)
    train_run(learner, config, run, metrics)
    logger = LocalLogger(folder)
    picture = np.full((32, 32, 3), 120, np.uint8)
    issue = {"image": picture, "image_id": "007.jpg", "label": "red", "suggested": "blue"}
    logger.table("valid/label_issues", [{**issue, "suspicion": 0.93}], global_step=6, epoch=2)
    logger.finish()
    return write_report(folder)


@pytest.fixture(params=WIDTHS.values(), ids=WIDTHS)
def page(request, report, open_page):
    return open_page(report, request.param)


def test_it_asks_for_nothing_complains_about_nothing_and_shows_every_picture(page, report):
    page.ask("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.requests == [report.as_uri()]
    assert page.complaints == []
    assert page.ask("document.images.length") > 40
    assert page.ask(INVISIBLE) == page.ask(HIDDEN) == 0


def test_nothing_is_wider_than_the_screen(page):
    page.ask("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert page.ask("document.documentElement.scrollWidth") == page.width
    # What is wider scrolls in a box of its own.
    outside = """[...document.querySelectorAll('main *')].filter(e => e.checkVisibility()
        && e.getBoundingClientRect().right > innerWidth + 1
        && !e.closest('.scroll, .strip, .states, pre, nav')).map(e => e.outerHTML.slice(0, 90))"""
    assert page.ask(outside) == []


def test_sections_stand_in_order_and_the_navigation_leads_to_each(page):
    assert page.ask("[...document.querySelectorAll('section')].map(s => s.id)") == SECTIONS
    assert page.ask("[...document.querySelectorAll('nav a')].slice(1).map(a => a.hash)") == [
        f"#{name}" for name in SECTIONS
    ]
    page.ask("document.documentElement.style.scrollBehavior = 'auto'")
    for name in ("extremes", "time"):
        page.click(f"nav a[href='#{name}']")
        page.wait(f"location.hash === '#{name}'")
        # The navigation stays on top and does not lie on the heading.
        heading = f"document.querySelector('#{name} h2').getBoundingClientRect()"
        bar = "document.querySelector('nav').getBoundingClientRect()"
        assert page.ask(f"{bar}.top === 0 && {heading}.top >= {bar}.bottom")
        assert page.ask(f"{heading}.bottom < innerHeight")


def test_a_picture_opens_leafs_and_closes(page):
    small = "#extremes .sample .zoom img"
    before = page.ask(f"document.querySelector('{small}').getBoundingClientRect().width")
    page.click(small)
    page.wait(f"{ENLARGED} && {ENLARGED}.naturalWidth > 0")
    assert page.ask(f"{ENLARGED}.src === document.querySelector('{small}').src")
    assert page.ask(f"{ENLARGED}.getBoundingClientRect().width") > 2 * min(before, 180)
    assert "loss" in page.ask("document.querySelector('dialog p').textContent")
    page.press("ArrowRight")
    assert page.ask(f"{ENLARGED}.alt === document.querySelectorAll('{small}')[1].alt")
    page.click("dialog [data-step='-1']")
    assert page.ask(f"{ENLARGED}.alt === document.querySelector('{small}').alt")
    page.press("Escape")
    page.wait(f"!{ENLARGED}")
    page.click(small)
    page.wait(f"!!{ENLARGED}")
    page.click("dialog [data-close]")
    page.wait(f"!{ENLARGED}")
    assert page.complaints == []


def test_a_tap_in_the_enlarged_figure_shows_its_real_pixels(page):
    page.click("#training .zoom img")
    page.wait(f"{ENLARGED} && {ENLARGED}.naturalWidth > 0")
    page.click("dialog .stage img")
    real = f"{ENLARGED}.getBoundingClientRect().width === {ENLARGED}.naturalWidth"
    page.wait(real)
    page.click("dialog .stage img")
    page.wait(f"!({real})")


def test_without_scripts_all_is_there_but_the_zoom(report, open_page):
    page = open_page(report, 1280, script=False)
    words = page.call("DOM.getDocument", depth=-1)
    assert json.dumps(words).count('"nodeName": "IMG"') > 40
    assert page.complaints == []


def test_what_stands_at_the_top_tells_the_run(page):
    seen = page.ask("""[...document.querySelectorAll('header *, .headlines *, .findings *')]
        .map(e => e.textContent).join(' ')""")
    for words in ("colours/baseline/fold0", "finished", "accuracy", "the worst sample is",
                  "most suspicious label is that of 007.jpg", "layers", "of the last"):  # fmt: skip
        assert words in re.sub(r"\s+", " ", seen)
    top = "document.querySelector('.findings').getBoundingClientRect().top"
    assert page.ask(top) < page.ask("innerHeight")
