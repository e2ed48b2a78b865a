"""Figures of looks: they render without a warning and show what they were given."""

import warnings

import numpy as np
import pytest
from matplotlib.figure import Figure

from common.figures.breakdown import bars_figure, heat_figure, pairs_figure
from common.figures.confusion import confusion_map, row_shares, short_count
from common.figures.curves import FEW, MAX_CLASSES, ranking_figure
from common.figures.distribution import binary_figure, classes_figure, labels_figure, shares
from common.figures.encode import figure_to_image
from common.figures.label_confusion import label_confusion_figure, worst_labels
from common.metrics.curves import ranking_curve

EDGES = np.linspace(0, 1, 11)


def drawn(figure: Figure) -> Figure:
    """Return the figure after it was drawn, with every warning an error."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DeprecationWarning)  # of an older matplotlib's own
        assert figure_to_image(figure).std() > 0
    return figure


def words(figure: Figure) -> list[str]:
    legends = [*figure.legends, *(axes.get_legend() for axes in figure.axes)]
    return [text.get_text() for legend in legends if legend for text in legend.get_texts()]


def curves_of(count: int):
    random = np.random.default_rng(0)
    truth, curves, rows = random.random(80) < 0.4, {}, {}
    for number in range(count):
        name = f"${number}$"
        curves[name] = ranking_curve(truth, random.random(80))
        rows[name] = {"average_precision": number / count, "roc_auc": 0.5}
    return curves, rows


def test_every_class_has_its_areas_in_the_legend():
    figure = drawn(ranking_figure(*curves_of(3)))
    assert len(words(figure)) == 4
    assert any("mean of 3  0.333  0.500" in word for word in words(figure))


def test_of_many_classes_the_worst_and_the_mean_are_drawn():
    figure = drawn(ranking_figure(*curves_of(MAX_CLASSES + 1)))
    assert len(words(figure)) == FEW + 1
    assert words(figure)[0].startswith("$0$")


def test_a_single_curve_shows_the_point_of_a_threshold():
    curves, rows = curves_of(1)
    figure = drawn(ranking_figure(curves, rows, (0.5, "at 0.5")))
    assert [axes.texts[0].get_text() for axes in figure.axes] == ["at 0.5", "at 0.5"]


def test_shares_sum_to_one_or_to_nothing():
    assert shares(np.array([0.1, 0.5, 1.0]), EDGES).sum() == 1
    assert shares(np.zeros(0), EDGES).sum() == 0


def test_distributions_render():
    half = np.full(10, 0.1)
    line = (0.42, "best for accuracy: 0.42")
    figure = drawn(binary_figure(EDGES, {"a": half, "$b$": half}, "p($b$)", "5 %", line))
    assert "best for accuracy: 0.42" in words(figure)
    rows = np.eye(3, 10)
    drawn(classes_figure(EDGES, {"right": half, "wrong": half * 0}, rows, list("abc"), "5 %"))
    best = np.array([0.1, np.nan, 0.9])
    drawn(labels_figure(rows, rows * 0, list("abc"), best, line, "5 %"))
    drawn(labels_figure(rows, rows, list("abc"), best, None, "5 %"))


def test_bars_tell_the_worst_group_and_what_has_no_score():
    values, counts = np.array([0.9, np.nan, 0.4]), np.array([10, 1, 2000])
    figure = drawn(bars_figure(["a", "b", "c"], values, counts, "macro_f1", 0.8, "city"))
    bars, texts = figure.axes[0].patches, [text.get_text() for text in figure.axes[0].texts]
    assert [text.strip() for text in texts] == ["0.9", "no score", "0.4"]
    assert [bar.get_width() for bar in bars] == [0.9, 0, 0.4]
    assert bars[2].get_facecolor() != bars[0].get_facecolor() == bars[1].get_facecolor()
    least = drawn(bars_figure(["a", "b", "c"], values, counts, "loss", 0.8, "city", False))
    assert least.axes[0].patches[0].get_facecolor() == bars[2].get_facecolor()
    drawn(bars_figure(["a"], np.array([np.nan]), np.array([1]), "x", np.nan, "city"))


@pytest.mark.parametrize("maximise", [True, False])
def test_the_worst_cell_is_the_darkest(maximise):
    values = np.array([[0.1, 0.5], [np.nan, 0.9]])
    counts = np.array([[3, 4], [0, 5]])
    names = (["75", "$90"], ["a", "b"])
    figure = drawn(heat_figure(values, counts, names, ("quality", "city"), "iou", maximise))
    image = figure.axes[0].images[0]
    light = [image.cmap(image.norm(value))[:3] for value in (0.1, 0.5, 0.9)]
    order = np.argsort([sum(colour) for colour in light])
    assert order[0] == (0 if maximise else 2)
    assert [text.get_text() for text in figure.axes[0].texts] == ["0.1\n3", "0.5\n4", "", "0.9\n5"]


def test_pairs_stand_side_by_side():
    parts = {"recall": np.array([0.5, np.nan]), "precision": np.array([1.0, 0.2])}
    figure = drawn(pairs_figure(["small", "large"], parts, "share", "by size"))
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.5, 0, 1.0, 0.2]
    assert words(figure) == ["recall", "precision"]


def test_labels_stand_worst_first_with_their_counts():
    counts = np.array([[9, 1, 1, 89], [2, 8, 8, 82], [0, 0, 0, 100]])
    assert worst_labels(counts).tolist() == [2, 1, 0]
    figure = drawn(label_confusion_figure(counts, ["a", "b", "c"]))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert texts[4:8] == ["2  20%", "8  80%", "8  9%", "82  91%"]


def test_what_is_found_in_the_background_is_a_share_of_its_column():
    matrix = np.array([[6, 2], [3, 0]])
    chart = confusion_map(matrix, ["a", "none"], unit="boxes", background=True)
    np.testing.assert_allclose(chart.shades, [row_shares(matrix)[0], [3 / 9, 0]])
    assert "11 boxes" in chart.title


def test_large_counts_are_shortened():
    assert [short_count(n) for n in (99_999, 123_456, 12_345_678, 2 * 10**9)] == [
        "99999",
        "123k",
        "12.3M",
        "2G",
    ]
