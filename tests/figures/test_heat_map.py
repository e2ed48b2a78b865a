import numpy as np
import pytest

from common.figures.heat_map import HeatMap, draw_heat_map

BAR = ("share", [(0.0, "0.0"), (1.0, "1.0")])
DARK, LIGHT = (8, 48, 107), (247, 251, 255)  # the ends of the colours


def chart(shades, names="abcd", **given) -> HeatMap:
    shades = np.asarray(shades, float)
    return HeatMap(
        shades, list(names)[: len(shades)], "title", ("Predicted", "Actual"), BAR, **given
    )


def cells_of(page: np.ndarray, drawn: HeatMap) -> np.ndarray:
    """Return the part of a page that is cells: it begins where a row of it is all shaded."""
    blue = (page[..., 2].astype(int) - page[..., 0]) > 7  # neither paper nor ink
    long = np.lib.stride_tricks.sliding_window_view(blue, drawn.side, axis=1).all(2)
    top, left = np.argwhere(long)[0]
    return page[top : top + drawn.side, left : left + drawn.side]


def test_every_cell_has_its_shade():
    shades = np.random.default_rng(0).permutation(16).reshape(4, 4) / 15
    drawn = chart(shades)
    cells = cells_of(draw_heat_map(drawn), drawn)
    middles = cells[drawn.cell // 2 :: drawn.cell, drawn.cell // 2 :: drawn.cell]
    assert middles.shape == (4, 4, 3)
    darkness = -middles.astype(int).sum(2)
    assert np.array_equal(darkness.ravel().argsort(), shades.ravel().argsort())
    corners = cells.reshape(4, drawn.cell, 4, drawn.cell, 3)[:, [1, -2]][:, :, :, [1, -2]]
    assert (corners == middles[:, None, :, None]).all()  # one shade up to the edge of a cell


def test_numbers_stand_out_in_their_own_cells():
    drawn = chart(np.eye(2), numbers=[["7", ""], ["", "1"]])
    page = draw_heat_map(drawn)
    cells = cells_of(page, drawn)
    (seven, nothing), (_, one) = (np.split(row, 2, 1) for row in np.split(cells, 2))
    assert (nothing == LIGHT).all()
    for cell in (seven, one):  # white on dark
        assert (cell[0, 0] == DARK).all()
        assert 10 < (cell.min(2) > 200).sum() < 200
    assert (seven != one).any()
    pale = draw_heat_map(drawn._replace(shades=np.zeros((2, 2))))
    written = (cells_of(pale, drawn).max(2) < 100).reshape(2, drawn.cell, 2, -1).any((1, 3))
    assert np.array_equal(written, np.eye(2, dtype=bool))  # dark on light


def test_names_stand_at_their_cells_on_both_sides():
    drawn = chart(np.zeros((3, 3)), ["x", "", ""])
    page, other = draw_heat_map(drawn), draw_heat_map(drawn._replace(names=["y", "", ""]))
    rows, columns = np.nonzero((page != other).any(2))
    assert rows.min() < drawn.side / 3  # beside the first row
    assert rows.max() > drawn.side  # and below the first column
    assert columns.max() < page.shape[1] / 2


def test_the_picture_grows_with_its_words_and_a_word_without_end_is_cut():
    short, long, endless = (
        draw_heat_map(chart(np.eye(3), [letter * count for letter in "abc"]))
        for count in (1, 15, 500)
    )
    assert short.shape[1] < long.shape[1] < endless.shape[1]
    assert short.shape[0] < long.shape[0] < endless.shape[0]  # they are steep
    assert endless.shape[1] < short.shape[1] + 260
    for page in (short, long, endless):  # nothing touches the rim
        rim = (page[:2], page[-2:], page[:, :2], page[:, -2:])
        assert all((part == 255).all() for part in rim)


def test_a_name_of_two_lines_stands_in_one():
    two, one = (draw_heat_map(chart(np.eye(2), ["", name])) for name in ("a\n b", "a b"))
    np.testing.assert_array_equal(two, one)


@pytest.mark.parametrize(("classes", "block"), [(1, 1), (2, 1), (60, 1), (100, 1), (601, 3)])
def test_any_number_of_classes_is_drawn_in_whole_pixels(classes, block):
    count = -(-classes // block)
    drawn = HeatMap(
        np.eye(count), [f"class {i}" for i in range(classes)], "title", ("x", "y"), BAR,
        every=-(-classes // 20), block=block,
    )  # fmt: skip
    cells = cells_of(draw_heat_map(drawn), drawn)
    assert drawn.side == drawn.cell * classes // block
    assert 200 < drawn.side <= 1000
    assert (cells[drawn.cell // 2, drawn.cell // 2] == DARK).all()
