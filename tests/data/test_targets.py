"""Numbers in folds and in the audit: folds keep their spread, what is odd is told."""

import numpy as np
import pandas as pd

from common.data.audit.numbers import value_balance
from common.data.folds import fold_frame
from common.data.targets import value_strata

NUMBERS = np.random.default_rng(0).gamma(1, 10, 300)
FRAME = pd.DataFrame({"image_id": [f"i{n}" for n in range(300)], "age": NUMBERS})


def test_folds_are_stratified_by_the_size_of_the_number(config, tmp_path):
    update = {"target": "regression", "classes": ("age",), "metric": "rmse", "data.n_folds": 5}
    config = config.model_copy(update=update)
    frame = fold_frame(tmp_path / "folds.csv", FRAME, config)
    assert "label" not in frame
    means = frame.groupby("fold")["age"].mean()
    shuffled = NUMBERS.reshape(5, 60).mean(1)
    assert np.ptp(means) < 0.5 * np.ptp(shuffled)
    again = fold_frame(tmp_path / "folds.csv", FRAME, config)
    assert (again["fold"] == frame["fold"]).all()


def test_strata_take_few_rows_ties_and_several_columns():
    for frame in (FRAME[:7], FRAME.assign(age=3.0), FRAME.assign(age=np.maximum(NUMBERS, 12))):
        strata = value_strata(frame, ("age",), 5)
        assert strata.notna().all()
        assert strata.value_counts().min() >= 1
    assert value_strata(FRAME.assign(age=3.0), ("age",), 5).nunique() == 1
    both = FRAME.assign(height=-NUMBERS)
    assert value_strata(both, ("age", "height"), 5).notna().all()


def test_the_audit_tells_of_constants_and_of_folds_that_differ():
    folds = np.arange(300) % 3
    (fine,) = value_balance(FRAME.assign(fold=folds), ("age",))
    assert fine.status == "ok"
    (flat,) = value_balance(FRAME.assign(fold=folds, age=1.0), ("age",))
    assert flat.status == "warning"
    assert "all 300 numbers are 1" in flat.found
    by_size = FRAME.assign(fold=np.argsort(np.argsort(NUMBERS)) // 100)
    (torn,) = value_balance(by_size, ("age",))
    assert torn.status == "warning"
    assert "of fold 0" in torn.found
