"""A run goes on with what its pseudo-labels said when it began, wherever that lies."""

import numpy as np
import pandas as pd
import pytest

from common.errors import KitError
from common.run_pseudo import INPUTS, content_digest
from common.runs import Run


@pytest.fixture
def table() -> pd.DataFrame:
    boxes = [np.array([1.0, 2.5, 30.0, 40.0]), np.zeros(0)]
    return pd.DataFrame(
        {
            "image_id": ["a", "b"],
            "path": ["here/a.jpg", "here/b.jpg"],
            "fold": [0, 1],
            "weight": np.array([1.0, 0.25], np.float32),
            "boxes": boxes,
            "labels": [["wheat"], []],
        }
    )


CHANGES = {
    "a weight": lambda frame: frame.assign(weight=[1.0, np.float32(0.26)]),
    "a box": lambda frame: frame.assign(boxes=[np.array([1.0, 2.5, 30.0, 41.0]), np.zeros(0)]),
    "a label": lambda frame: frame.assign(labels=[["weed"], []]),
    "a row less": lambda frame: frame[:1],
    "another order": lambda frame: frame[::-1],
}


def test_what_says_the_same_is_the_same(table, tmp_path):
    paths = [tmp_path / f"{name}.parquet" for name in ("a", "b", "c")]
    table.to_parquet(paths[0], index=False)
    table.assign(path="elsewhere").to_parquet(paths[1], index=False, compression="gzip")
    pd.read_parquet(paths[0]).to_parquet(paths[2], index=False, row_group_size=1)
    assert len({path.read_bytes() for path in paths}) == 3
    assert len({content_digest(path) for path in paths}) == 1


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_file_is_refused_on_resuming(config, table, tmp_path, change):
    file, folder = tmp_path / "pseudo.parquet", tmp_path / "runs" / "c" / "e" / "fold0"
    table.to_parquet(file, index=False)
    config = config.model_copy(update={"data.pseudo": str(file)})
    begin(folder, config)
    table.assign(path="moved").to_parquet(file, index=False)
    begin(folder, config, resume=True)
    CHANGES[change](table).to_parquet(file, index=False)
    with pytest.raises(KitError, match=r"other content in '.*pseudo.parquet' .*--name"):
        begin(folder, config, resume=True)
    begin(folder.with_name("fold1"), config)  # a new one takes it
    (folder / INPUTS).unlink()  # as earlier versions left it
    begin(folder, config, resume=True)


def begin(folder, config, resume: bool = False) -> None:
    Run.create(folder, config, resume)
