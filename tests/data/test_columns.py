import numpy as np
import pandas as pd
import pytest

from common.data.columns import BINS, group_columns
from common.errors import KitError


@pytest.fixture
def frame():
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "city": random.choice(["Wien", "Austin", None], 60),
            "quality": random.choice([75, 90, 95], 60),
            "width": random.normal(500, 90, 60),
            "boxes": [np.zeros((2, 4))] * 60,
        }
    )


def test_every_row_keeps_its_value(frame):
    found = group_columns(frame, ["city", "quality*city"])
    assert list(found) == ["city", "quality"]
    assert found["quality"].tolist() == frame["quality"].tolist()
    assert found["quality"].categories.tolist() == [75, 90, 95]
    known = frame["city"].notna().to_numpy()
    assert found["city"][known].tolist() == frame["city"][known].tolist()
    assert (found["city"].codes < 0).sum() == frame["city"].isna().sum()


def test_many_numbers_fall_into_bins_in_their_order(frame):
    groups = group_columns(frame, ["width"])["width"]
    assert len(groups.categories) == BINS
    spans = frame["width"].groupby(groups.codes).agg(["min", "max"]).to_numpy()
    assert (spans[1:, 0] > spans[:-1, 1]).all()
    assert np.bincount(groups.codes).min() >= 60 // BINS - 1


def test_samples_take_the_value_of_their_row(frame):
    rows = np.array([5, 5, 0, 7])
    whole, found = (group_columns(frame, ["quality"], r)["quality"] for r in (None, rows))
    assert found.tolist() == [whole[row] for row in rows]


def test_what_is_no_column_of_single_values_is_told(frame):
    with pytest.raises(KitError, match=r"log\.breakdown, got 'citi'; did you mean 'city'"):
        group_columns(frame, ["citi"])
    with pytest.raises(KitError, match=r"single values in column 'boxes'.*got ndarray"):
        group_columns(frame, ["boxes"])
