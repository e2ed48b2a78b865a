"""A prediction is over before its limit, complete, and does all that there is time for."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from common import session
from common.config import PredictConfig
from common.inference.budget import FUSE, LOAD, PASS, READ, Budget
from common.inference.outcome import Outcome
from common.session import Session

from .hours import HOUR, Clock, hours


class World:
    """Work of known cost, done as a budget grants it; counts passes per model and image."""

    def __init__(
        self, rows=400, models=3, passes=8, batch=10, read=0.1, one=0.2, load=5.0, start=0.0
    ):
        self.shape, self.batch = (models, rows, passes), batch
        self.read, self.one, self.load, self.start = read, one, load, start
        self.done = np.zeros((models, rows), int)
        self.outcome = Outcome()

    def run(self, options: PredictConfig, by_image: bool = False) -> "World":
        models, rows, passes = self.shape
        self.budget = Budget(options, rows, models, passes, self.outcome, by_image)
        self.images() if by_image else self.models()
        return self

    def models(self) -> None:
        for model in range(self.shape[0]):
            if not self.budget.allows(model):
                break
            Clock.now += self.load
            self.budget.start_model(model)
            for start in range(0, self.shape[1], self.batch):
                own = self.done[model, start : start + self.batch]
                Clock.now += self.read * len(own) + (0 if start else self.start)
                self.budget.lap(READ, len(own))
                own += self.budget.passes
                Clock.now += self.one * own.sum()
                self.budget.lap(PASS, own.sum())
                self.budget.advance(len(own))
                if not self.budget.goes_on():
                    break

    def images(self) -> None:
        for row in range(self.shape[1]):
            Clock.now += self.read
            self.budget.lap(READ, 1)
            self.done[: self.budget.models, row] = self.budget.passes
            Clock.now += self.one * self.done[:, row].sum()
            self.budget.lap(PASS, self.done[:, row].sum())
            self.budget.advance(1)
            if not self.budget.goes_on():
                break

    @property
    def whole(self) -> float:
        """Seconds of all that is planned, order of models."""
        models, rows, passes = self.shape
        return models * (self.load + rows * (self.read + self.one * passes))


def test_without_a_limit_all_is_done_and_nothing_is_said(clock, capsys) -> None:
    world = World(one=1000.0).run(PredictConfig())
    assert (world.done == 8).all()
    assert world.outcome.given_up == []
    assert "limit" not in capsys.readouterr().out


def test_with_time_enough_all_is_done(clock) -> None:
    world = World()
    world.run(PredictConfig(time_limit=hours(world.whole + 11)))
    assert (world.done == 8).all()
    assert world.outcome.given_up == []


def test_views_go_first_then_models_and_every_image_is_predicted(clock, capsys) -> None:
    limit = hours(10 + 3 * 5 + 3 * 400 * (0.1 + 2 * 0.2) + 60)
    world = World().run(PredictConfig(time_limit=limit))
    assert (world.done >= 2).all()
    assert world.budget.models == 3
    assert clock.now < HOUR * limit
    (line,) = world.outcome.given_up
    assert line.startswith("8 views would take")
    assert "2 of them alone" in line
    assert capsys.readouterr().out.count("OUT OF TIME") == 1

    clock.now = 10.0
    limit = hours(10 + 5 + 400 * (0.1 + 0.2) + 60)
    world = World().run(PredictConfig(time_limit=limit))
    assert (world.done[0] >= 1).all()
    assert not world.done[1:].any()
    assert [line.split()[1] for line in world.outcome.given_up] == ["views", "models"]
    assert clock.now < HOUR * limit


def test_the_order_of_giving_up_is_the_configs(clock) -> None:
    limit = hours(10 + 5 + 400 * (0.1 + 8 * 0.2) + 60)
    world = World().run(PredictConfig(time_limit=limit, fallback=("models", "tta")))
    assert (world.done[0] == 8).all()
    assert not world.done[1:].any()
    world = World()
    Clock.now = 10.0
    world.run(PredictConfig(time_limit=limit, fallback=("models",)))
    assert set(np.unique(world.done)) == {0, 8}


def test_a_slow_first_batch_gives_nothing_up(clock) -> None:
    world = World(load=0.0, start=30.0)  # waits for workers and for the device
    world.run(PredictConfig(time_limit=hours(world.whole + 10 + 3 * 30 + 1)))
    assert (world.done == 8).all()


def test_where_not_even_one_pass_is_in_time_the_rest_is_left_and_told(clock) -> None:
    limit = hours(200)
    world = World(rows=4000).run(PredictConfig(time_limit=limit))
    seen = world.done[0] > 0
    assert 0 < seen.sum() < 4000
    assert not world.done[1:].any()
    assert clock.now <= HOUR * limit
    assert (
        "images have no prediction of any model: they get the fallback"
        in (world.outcome.given_up[-1])
    )
    assert f"{(~seen).sum()} of 4000" in world.outcome.given_up[-1]


@settings(max_examples=100, deadline=None)
@given(
    rows=st.integers(1, 300),
    models=st.integers(1, 4),
    passes=st.sampled_from([1, 2, 8, 24]),
    batch=st.integers(1, 40),
    read=st.floats(0, 0.5),
    one=st.floats(0.001, 1),
    load=st.floats(0, 20),
    share=st.floats(0.01, 3),
    fallback=st.sampled_from([("tta", "models"), ("models", "tta"), ("tta",), ("models",), ()]),
    by_image=st.booleans(),
)
@example(40, 2, 8, 10, 0.0, 1.0, 0.0, 1.0, (), False)
def test_whatever_the_costs_it_ends_in_time_and_the_first_model_comes_first(
    rows, models, passes, batch, read, one, load, share, fallback, by_image
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        Clock.now = 0.0
        patch.setattr(session, "STARTED", 0.0)
        patch.setattr(Session, "now", staticmethod(lambda: Clock.now))
        world = World(rows, models, passes, batch, read, one, load)
        options = PredictConfig(time_limit=share * world.whole / HOUR, fallback=fallback)
        world.run(options, by_image)
    seen = world.done > 0
    # What the first two batches cost nobody knows; all that comes after them is foreseen.
    two = (
        2 * (read + one * passes * models) if by_image else load + 2 * batch * (read + one * passes)
    )
    assert Clock.now <= max(HOUR * options.time_limit, two) + 1e-6
    assert seen[0, 0]
    assert (seen[:-1] >= seen[1:]).all()
    if not seen.all():
        assert world.outcome.given_up
    if share > 1.2 and not by_image:
        assert (world.done == passes).all()
    if not seen[0].all():
        assert any("they get the fallback" in line for line in world.outcome.given_up)
    assert set(np.unique(world.done)) <= {0, passes} or "tta" in fallback


def test_a_model_that_takes_long_to_load_is_not_loaded_for_nothing(clock) -> None:
    world = World(load=300.0)
    world.run(PredictConfig(time_limit=hours(world.whole - 250), fallback=("models",)))
    assert (world.done[:2] == 8).all()
    assert not world.done[2].any()
    assert "after image 20 of 400 of model 1" in world.outcome.given_up[0]


def test_lines_of_progress_come_ever_less_often(clock, capsys) -> None:
    World(rows=20_000, models=1, one=1.0).run(PredictConfig(time_limit=9000))
    lines = [line for line in capsys.readouterr().out.splitlines() if "predicting" in line]
    assert "of 20000, model 1 of 1, 8 views each" in lines[0]
    assert "limit 9000 h" in lines[0]
    assert 100 < len(lines) < 162_000 / 300 + 10


def test_what_has_to_be_fused_in_the_end_counts(clock) -> None:
    budget = Budget(PredictConfig(time_limit=1), 10, 2, 4, Outcome())
    budget.start_model(0)
    for _ in range(3):
        clock.now += 1
        budget.lap(READ, 1)
        clock.now += 8
        for seconds in (50, 3):  # the first one compiles
            if not budget.knows(FUSE):
                with budget.aside(FUSE, 4):
                    clock.now += seconds
        budget.lap(PASS, 4)
        budget.advance(1)
    assert budget.ahead(2, 4) == pytest.approx(17 * 1 + 17 * 8 + 20 * 4 * 3 / 4)
    assert budget.ahead(1, 1) == pytest.approx(7 * 1 + 7 * 2 + (12 + 7) * 3 / 4)


def test_loading_counts(clock) -> None:
    budget = Budget(PredictConfig(time_limit=1), 10, 3, 1, Outcome())
    clock.now += 7
    budget.start_model(0)
    for _ in range(3):
        clock.now += 1
        budget.lap(READ, 1)
        clock.now += 2
        budget.lap(PASS, 1)
        budget.advance(1)
    assert budget.knows(LOAD)
    assert budget.ahead(3, 1) == pytest.approx(2 * 7 + 27 * 3)
    assert budget.ahead(1, 1) == pytest.approx(7 * 3)
