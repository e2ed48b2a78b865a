from itertools import pairwise

import pytest
from fastai.callback.schedule import combined_cos
from hypothesis import given
from hypothesis import strategies as st

from common.callbacks.schedule import freeze_then, make_shape, one_cycle

NAMES = ("one_cycle", "cosine", "flat_cosine", "constant")
SHARE = st.floats(0, 1)


@given(SHARE)
def test_one_cycle_is_fastais(done):
    lr, momentum = one_cycle(done, 0.25)
    assert lr == pytest.approx(float(combined_cos(0.25, 1 / 25, 1, 1e-5)(done)), abs=1e-6)
    assert momentum == pytest.approx(float(combined_cos(0.25, 0.95, 0.85, 0.95)(done)), abs=1e-6)


@given(st.sampled_from(NAMES), SHARE, st.floats(0, 0.9))
def test_no_schedule_leaves_its_peak_or_zero(name, done, warmup):
    lr, momentum = make_shape(name, warmup)(done)
    assert 0 < lr <= 1 + 1e-9
    assert momentum is None or 0.85 <= momentum <= 0.95


@pytest.mark.parametrize("name", NAMES)
def test_warmup_rises_to_the_peak_and_the_rest_never_rises(name):
    shape = make_shape(name, 0.2)
    rates = [shape(step / 1000)[0] for step in range(1001)]
    assert rates[:200] == sorted(rates[:200])
    assert rates[200] == pytest.approx(1, abs=1e-3)
    assert all(a >= b - 1e-12 for a, b in pairwise(rates[200:]))


def test_a_frozen_phase_has_a_cycle_of_its_own():
    shape = freeze_then(make_shape("one_cycle", 0.25), 0.2)
    assert shape(0.05)[0] == pytest.approx(1)
    assert shape(0.1999)[0] < 1e-3
    assert shape(0.4)[0] == pytest.approx(1)
