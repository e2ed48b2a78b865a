"""Two small runs give what a large one takes; noise is not taken for growth."""

from dataclasses import replace
from pathlib import Path

import pytest

from common.kernels_folder import kernels

estimate = kernels("rehearsal.estimate").estimate
Outcome, Trial = kernels("rehearsal.sandbox").Outcome, kernels("rehearsal.trial").Trial


def trial(images: int, seconds: float, memory: float | None = 1.0, disk: float = 0.0, own=None):
    outcome = Outcome(0, "", seconds, memory, disk, (), (), "", Path())
    report = {} if own is None else {"seconds": {"predict": own}}
    return Trial("any", images, outcome, (), (), report)


def test_time_is_start_plus_a_cost_per_image():
    found = estimate(trial(10, 12.0), trial(20, 14.0), 1000)
    assert found.per_image == pytest.approx(0.2)
    assert found.start == pytest.approx(10)
    assert found.seconds == pytest.approx(210)


def test_the_larger_of_both_clocks_counts():
    outside = estimate(trial(10, 12.0, own=1.0), trial(20, 14.0, own=2.0), 1000)
    inside = estimate(trial(10, 12.0, own=1.0), trial(20, 14.0, own=5.0), 1000)
    assert outside.per_image == pytest.approx(0.2)
    assert inside.per_image == pytest.approx(0.4)


def test_a_kernels_clock_that_says_more_than_the_whole_run_is_not_believed():
    found = estimate(trial(10, 12.0, own=1.0), trial(20, 14.0, own=500.0), 1000)
    assert found.per_image == pytest.approx(0.2)


def test_where_no_clock_shows_a_cost_all_time_counts_as_the_images():
    found = estimate(trial(10, 14.0), trial(20, 12.0), 100)
    assert found.seconds == pytest.approx(60)


@pytest.mark.parametrize("images", [1, 5, 20])
def test_fewer_images_take_no_more_than_was_measured(images):
    found = estimate(trial(10, 12.0), trial(20, 14.0), images)
    assert found.seconds <= 14
    assert found.memory_gb == 1


def test_memory_grows_only_where_it_grew_more_than_equal_runs_differ():
    still = estimate(trial(10, 12.0, 1.0), trial(20, 14.0, 1.05), 1000)
    grown = estimate(trial(10, 12.0, 1.0), trial(20, 14.0, 1.5), 1000)
    assert still.memory_gb == pytest.approx(1.05)
    assert grown.memory_gb == pytest.approx(1.5 + 0.05 * 980)
    assert grown.growth == pytest.approx(50)


def test_memory_that_nobody_saw_is_unknown():
    assert estimate(trial(10, 12.0, None), trial(20, 14.0, None), 1000).memory_gb is None


def test_disk_is_a_line_too():
    found = estimate(trial(10, 12.0, disk=0.1), trial(20, 14.0, disk=0.2), 1000)
    assert found.working_gb == pytest.approx(10)


def test_a_report_that_is_no_numbers_is_left_out():
    strange = replace(trial(10, 12.0), report={"seconds": "many"})
    assert strange.predict_seconds is None
