"""Galleries: every picture under its heading, what colours mean above all."""

import numpy as np
import pytest

from common.errors import KitError
from common.figures.gallery import Section, gallery


def section(colours: list[int], heading: str = "Worst") -> Section:
    images = [np.full((60, 200, 3), colour, np.uint8) for colour in colours]
    return Section(heading, images, [f"i{colour}" for colour in colours])


def test_every_picture_is_there_and_sections_keep_their_order():
    page = gallery([section([10, 20, 30]), section([]), section([40], "Best")], 200)
    rows = {
        colour: np.flatnonzero((page == colour).all(2).sum(1) >= 200) for colour in (10, 30, 40)
    }
    assert [len(found) for found in rows.values()] == [60, 60, 60]
    assert rows[10].max() < rows[40].min()


def test_a_legend_lies_above_everything_and_moves_nothing_else():
    plain, page = (gallery([section([10, 20])], 200, legend) for legend in ("", "green: right"))
    height = page.shape[0] - plain.shape[0]
    assert height > 0
    np.testing.assert_array_equal(page[height:, : plain.shape[1]], plain)
    assert (page[:height] < 100).any()
    assert gallery([section([10])], 200, "long " * 80).shape[1] > 1500


def test_a_gallery_of_nothing_is_refused():
    with pytest.raises(KitError, match="expected pictures, got none"):
        gallery([section([])], 200)
