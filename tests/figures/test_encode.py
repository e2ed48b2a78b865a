import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from common.errors import KitError
from common.figures.encode import encode_jpeg, encode_png, figure_to_image


def flat(height, width, colour=(200, 30, 30)):
    return np.full((height, width, 3), colour, np.uint8)


def test_figure_pixels_have_the_size_of_the_figure_and_are_drawn_anew_after_a_change():
    figure = Figure(figsize=(3, 2), dpi=50)
    axes = figure.add_subplot()
    before = figure_to_image(figure)
    assert before.shape == (100, 150, 3)
    assert np.array_equal(before, figure_to_image(figure))
    axes.fill_between([0, 1], [1, 1], color="k")
    assert figure_to_image(figure).sum() < before.sum()


def test_a_figure_that_is_pixels_already_stays_as_it_is():
    image = flat(3, 4)
    assert figure_to_image(image) is image
    with pytest.raises(KitError, match="expected figure as"):
        figure_to_image(image / 255)


def test_png_keeps_every_pixel_and_jpeg_nearly():
    image = flat(32, 32, (250, 10, 90))
    image[:, 16:] = (10, 200, 40)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_png(image)))), image)
    decoded = np.asarray(Image.open(io.BytesIO(encode_jpeg(image, 95)))).astype(int)
    assert np.abs(decoded[:, 20:] - image[:, 20:]).max() < 12
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    assert len(encode_jpeg(noise, 50)) < len(encode_jpeg(noise, 95))
