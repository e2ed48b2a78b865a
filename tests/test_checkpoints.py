"""What checkpoints are trusted with: written whole, checked, replaced in one move, never run."""

import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from common import checkpoints
from common.checkpoints import (
    DamagedCheckpoint,
    load_checkpoint,
    load_newest,
    same_checkpoint,
    save_checkpoint,
)
from common.errors import KitError
from common.sealed import SIZE, write_sealed


@pytest.fixture
def saved(tmp_path) -> Path:
    path = tmp_path / "last.pt"
    save_checkpoint(path, {"weights": {"a": torch.arange(1000.0)}, "epoch": 3})
    return path


def test_it_comes_back_and_other_readers_still_read_it(saved):
    assert load_checkpoint(saved)["weights"]["a"].tolist() == list(range(1000))
    assert torch.load(saved, weights_only=True)["epoch"] == 3
    assert zipfile.ZipFile(saved).testzip() is None


def test_every_cut_is_noticed(saved):
    whole = saved.read_bytes()
    cuts = {0, 1, 2, SIZE, SIZE + 1, SIZE + 2, len(whole) - 1, len(whole) - SIZE, len(whole) // 2}
    for cut in cuts | set(np.random.default_rng(0).integers(0, len(whole), 40).tolist()):
        saved.write_bytes(whole[:cut])
        with pytest.raises(DamagedCheckpoint):
            load_checkpoint(saved)


def test_every_flipped_bit_is_noticed(saved):
    whole = saved.read_bytes()
    ends = set(range(len(whole) - SIZE - 30, len(whole)))
    for place in ends | set(np.random.default_rng(0).integers(0, len(whole), 200).tolist()):
        flipped = bytearray(whole)
        flipped[place] ^= 1 << place % 8
        saved.write_bytes(flipped)
        with pytest.raises(DamagedCheckpoint):
            load_checkpoint(saved)
    saved.write_bytes(whole + b"x")
    with pytest.raises(DamagedCheckpoint):
        load_checkpoint(saved)


def test_the_one_before_takes_the_place_of_a_damaged_one_and_is_said(saved, tmp_path, capsys):
    before = tmp_path / "before.pt"
    save_checkpoint(saved, {"epoch": 4}, keep=before)
    assert [load_checkpoint(path)["epoch"] for path in (saved, before)] == [4, 3]
    assert load_newest([saved, before])[0] == saved
    saved.write_bytes(saved.read_bytes()[:-9])
    assert load_newest([saved, before])[1]["epoch"] == 3
    (line,) = capsys.readouterr().out.splitlines()
    assert "last.pt" in line
    assert "taking the one before, 'before.pt'" in line
    saved.unlink()  # a process died between the two moves
    assert load_newest([saved, before])[1]["epoch"] == 3
    before.write_bytes(b"PK")
    with pytest.raises(DamagedCheckpoint, match="none before it: train anew with --name"):
        load_newest([saved, before])


class Trap:
    def __reduce__(self):
        return os.mkdir, (Trap.place,)


@pytest.mark.parametrize("write", [pickle.dump, torch.save, "sealed"])
def test_a_file_from_elsewhere_cannot_run_code(tmp_path, write):
    Trap.place = str(tmp_path / "sprung")
    path, content = tmp_path / "evil.pt", {"format": checkpoints.FORMAT, "weights": Trap()}
    if write == "sealed":  # with a checksum that fits
        write_sealed(path, content)
    else:
        with path.open("wb") as file:
            write(content, file)
    with pytest.raises(KitError, match=r"readable checkpoint at '.*evil\.pt'") as caught:
        load_checkpoint(path)
    assert "\n" not in str(caught.value)
    assert not Path(Trap.place).exists()


def test_a_failed_save_leaves_the_earlier_one_and_no_rest(saved, monkeypatch):
    def full(content, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(KitError, match="No space left on device; the earlier file is untouched"):
        save_checkpoint(saved, {"epoch": 9})
    assert load_checkpoint(saved)["epoch"] == 3
    assert list(saved.parent.iterdir()) == [saved]


@pytest.mark.parametrize("links", [True, False])
def test_a_second_name_is_a_file_of_its_own(saved, monkeypatch, links):
    def refuse(self, target):
        raise OSError("no links here")

    if not links:
        monkeypatch.setattr(Path, "hardlink_to", refuse)
    other = saved.with_name("best.pt")
    same_checkpoint(saved, other)
    save_checkpoint(saved, {"epoch": 5})
    assert [load_checkpoint(path)["epoch"] for path in (saved, other)] == [5, 3]
