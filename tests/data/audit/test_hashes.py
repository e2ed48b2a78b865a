import cv2
import numpy as np
import pytest

from common.data.audit.duplicates import LIKENESS, RADIUS
from common.data.audit.hashes import (
    distance,
    is_flat,
    likeness,
    perceptual_hash,
    small_grey,
    thumbnail_of,
)


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    _, code = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(code, cv2.IMREAD_COLOR)


def resize(picture: np.ndarray, scale: float) -> np.ndarray:
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return cv2.resize(picture, None, fx=scale, fy=scale, interpolation=way)


def brighten(picture: np.ndarray, by: float) -> np.ndarray:
    return np.clip(picture.astype(float) + by, 0, 255).astype(np.uint8)


CHANGES = {
    "jpeg 90": lambda p: jpeg(p, 90),
    "jpeg 20": lambda p: jpeg(p, 20),
    "half": lambda p: resize(p, 0.5),
    "larger": lambda p: resize(p, 1.5),
    "brighter": lambda p: brighten(p, 25),
    "darker": lambda p: (p * 0.7).astype(np.uint8),
    "grainy": lambda p: brighten(p, np.random.default_rng(0).normal(0, 10, p.shape)),
    "all of it": lambda p: brighten(jpeg(resize(p, 0.5), 60), 20),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_picture_stays_near(photographs, change):
    for name, picture in photographs.items():
        grey, other = small_grey(picture), small_grey(CHANGES[change](picture))
        assert distance(perceptual_hash(grey), perceptual_hash(other)) <= RADIUS, name
        assert likeness(thumbnail_of(grey)[None], thumbnail_of(other)[None])[0] > LIKENESS, name


def test_different_photographs_are_far_apart(photographs):
    greys = [small_grey(picture) for picture in photographs.values()]
    hashes = np.array([perceptual_hash(grey) for grey in greys])
    left, right = np.triu_indices(len(hashes), 1)
    assert distance(hashes[left], hashes[right]).min() > 2 * RADIUS
    assert 28 < distance(hashes[left], hashes[right]).mean() < 36  # as bits thrown by coins


def test_half_of_the_bits_are_set(photographs):
    for picture in photographs.values():
        assert distance(perceptual_hash(small_grey(picture)), np.uint64(0)) == 32


def test_only_a_picture_of_one_colour_is_flat(photographs):
    assert not any(is_flat(small_grey(picture)) for picture in photographs.values())
    noise = np.random.default_rng(0).normal(128, 2, (64, 64, 3)).astype(np.uint8)
    assert is_flat(small_grey(noise))
