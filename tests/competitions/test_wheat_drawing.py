"""The fields of wheat that the demo draws: what is drawn, and where boxes are said to be."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from competitions.wheat_detection import field
from competitions.wheat_detection.demo import _share_out, write_demo
from competitions.wheat_detection.field import draw_field
from competitions.wheat_detection.heads import model_head
from competitions.wheat_detection.looks import LOOKS


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write_demo(tmp_path / name, seed=seed, train=2, test=1)
    first, again, other = (contents(tmp_path / name) for name in "abc")
    assert first == again
    assert not set(first.values()) & set(other.values())
    assert len(set(first.values())) == len(first) == 5


def test_boxes_are_tight_around_what_is_seen_and_hidden_heads_have_none() -> None:
    scene = field._begin(np.random.default_rng(0), LOOKS["ethz_1"], [])
    scene.owner[10:30, 5:25] = 0  # whole
    scene.owner[12:18, 20:90] = 1  # lies on it
    scene.owner[500:504, 700:710] = 2  # hidden but for two fifths
    scene.owner[900:902, 800:810] = 3  # hidden but for a fifth
    scene.areas = [400, 420, 100, 100, 50]  # the last is out of sight
    assert field._visible_boxes(scene).tolist() == [
        [5, 10, 25, 30],
        [20, 12, 90, 18],
        [700, 500, 710, 504],
    ]


def test_a_head_owns_the_pixels_that_it_covers_and_leaves_take_them_away() -> None:
    look = LOOKS["arvalis_1"]
    rng = np.random.default_rng(0)
    scene = field._begin(rng, look, [model_head(rng, look.plump)])
    before = scene.image.copy()
    field._add_head(scene, np.array((400.0, 600.0)), 0.5, np.array((250.0, 250.0, 0.0)))
    seen = scene.owner == 0
    assert seen.sum() == scene.areas[0] > 500
    assert before[seen].astype(int)[:, 0].mean() + 60 < scene.image[seen][:, 0].mean()
    far = np.hypot(*(np.indices(seen.shape) - np.reshape((600, 400), (2, 1, 1)))) > 450
    np.testing.assert_array_equal(scene.image[far], before[far])
    ((left, top, right, bottom),) = field._visible_boxes(scene).tolist()
    assert left < 400 < right
    assert top < 600 < bottom
    assert 0.4 * look.length[0] < np.hypot(right - left, bottom - top) < 1.3 * look.length[1]
    for _ in range(6):
        field._add_leaves(scene, 3, 1.0, 20, field.DEEP)
    assert (scene.owner == 0).sum() < seen.sum() / 2


@pytest.mark.parametrize("name", LOOKS)
def test_heads_stand_out_from_the_field_around_them(name: str) -> None:
    rng, look = np.random.default_rng(1), LOOKS[name]
    models = [model_head(rng, look.plump) for _ in range(3)]
    image, boxes = draw_field(rng, look, models, look.heads[1])
    assert look.heads[1] * 0.6 <= len(boxes) <= look.heads[1]
    middle = (boxes[:, :2] + boxes[:, 2:]) // 2
    inside = [image[y - 3 : y + 4, x - 3 : x + 4].mean() for x, y in middle]
    assert np.mean(inside) > 1.15 * image.mean()


def test_sources_have_uneven_shares_as_planned() -> None:
    shares = pd.Series(_share_out(np.random.default_rng(0), 1000)).value_counts() / 1000
    for name, look in LOOKS.items():
        assert shares[name] == pytest.approx(look.share, abs=2e-3)
    assert shares.max() > 3 * shares.min()
