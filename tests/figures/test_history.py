import numpy as np
import pytest

from common.figures.encode import figure_to_image
from common.figures.history import MAX_PANELS, by_epoch, history_figure


def rows_of(epochs=3, steps=4, **valid):
    rows = []
    for epoch in range(1, epochs + 1):
        for step in range(1, steps + 1):
            at = epoch - 1 + step / steps
            rows.append({"global_step": at * steps, "epoch": at, "train/loss": 10 * epoch + step})
        rows.append({"global_step": epoch * steps, "epoch": epoch, "valid/loss": epoch, **valid})
    return rows


def line(axes, label):
    (found,) = [line for line in axes.lines if line.get_label() == label]
    return found.get_xdata().tolist(), found.get_ydata().tolist()


def test_lines_hold_what_the_rows_say():
    figure = history_figure(rows_of(**{"valid/f1": 0.5}))
    loss, f1 = figure.axes
    assert (loss.get_title("left"), f1.get_title("left")) == ("loss", "f1")
    assert line(loss, "valid") == ([1, 2, 3], [1, 2, 3])
    assert line(loss, "train") == ([1, 2, 3], [12.5, 22.5, 32.5])
    assert line(f1, "valid") == ([1, 2, 3], [0.5, 0.5, 0.5])


def test_panels_are_limited_and_loss_comes_first():
    figure = history_figure(rows_of(**{f"valid/m{i}": i for i in range(9)}))
    assert len(figure.axes) == MAX_PANELS
    assert figure.axes[0].get_title("left") == "loss"


@pytest.mark.parametrize("rows", [[], rows_of(1, 1), [{"epoch": 1, "valid/loss": np.nan}]])
def test_little_or_nothing_can_be_drawn(rows):
    image = figure_to_image(history_figure(rows, best_epoch=1, columns=1))
    assert image.shape[2] == 3
    assert image.std() > 0


def test_by_epoch_averages_steps_and_takes_the_last_of_epochs():
    rows = [*rows_of(2), {"global_step": 8, "epoch": 2, "valid/loss": 7.0}]
    table = by_epoch(rows)
    assert list(table) == [1, 2]
    assert table[1] == {"train/loss": 12.5, "valid/loss": 1}
    assert table[2] == {"train/loss": 22.5, "valid/loss": 7.0}
