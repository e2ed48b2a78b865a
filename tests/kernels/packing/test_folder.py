"""A data set that Kaggle would refuse is told of when it is packed."""

import os

from common.kernels_folder import kernels

folder = kernels("packing.folder")
HALF = folder.MOST_BYTES / 2


def fill(place, part: str, sizes: list[float]) -> None:
    (place / part).mkdir(parents=True)
    for number, size in enumerate(sizes):
        file = place / part / f"{number}.pt"
        file.touch()
        os.truncate(file, int(size))  # takes no room on disk


def test_too_many_bytes_or_files_are_one_line_each(tmp_path, capsys):
    fill(tmp_path, "checkpoints", [HALF, HALF])
    fill(tmp_path, "wheels", [1] * folder.MOST_FILES)
    assert folder.too_much(tmp_path) == []
    (tmp_path / "checkpoints" / "one_more.pt").write_bytes(b"x")
    (tmp_path / "wheels" / "one_more.whl").write_bytes(b"x")
    first, second = folder.too_much(tmp_path)
    assert "200.0 GB in 3 files of checkpoints; pack fewer runs" in first
    assert "in 1001 files of wheels; carry fewer libraries" in second
    folder.report(tmp_path, {"dirty": False, "kind": "predict", "competition": "birds"}, 1)
    assert f"warning: {first}\nwarning: {second}\n" in capsys.readouterr().out
