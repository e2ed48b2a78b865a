"""Memory that grows is told from memory that only fills up, and from what strangers share."""

import subprocess
import sys
import time

import pytest

from common.kernels_folder import kernels

from .rehearsals import plant

processes = kernels("rehearsal.processes")
KEEP = (
    "kept = globals().setdefault('kept', [])",
    "kept.append(b'x' * 1_000_000)",
    "import time; time.sleep(0.005)",  # or it ends between two looks
)
FILL = (*KEEP, "del kept[:-20]")
READ = """
import mmap, sys, time
with open(sys.argv[1], "rb") as file:
    pages = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
total = sum(pages[::4096])
eaten = b"x" * 30_000_000
print(total, flush=True)
time.sleep(60)
"""


def test_what_readers_fill_is_no_growth_and_what_is_kept_of_each_image_is(seen, tmp_path) -> None:
    filled = seen(plant("per_image", *FILL), hidden=100_000, longer=60).estimate
    assert filled.growth == 0
    assert filled.memory_gb < 0.2


def test_a_megabyte_of_each_image_is_seen(seen) -> None:
    rehearsal = seen(plant("per_image", *KEEP), hidden=100_000, longer=60)
    assert [trial.images for trial in rehearsal.trials] == [4, 504]
    assert rehearsal.estimate.growth == pytest.approx(1, rel=0.15)
    assert rehearsal.estimate.memory_gb == pytest.approx(100, rel=0.15)


def test_pages_of_files_count_nothing_and_so_does_not_who_else_reads_them(tmp_path) -> None:
    file = tmp_path / "library"
    file.write_bytes(b"x" * 60_000_000)
    words = [sys.executable, "-c", READ, str(file)]
    found, running = [], []
    try:
        for _ in range(2):
            running.append(subprocess.Popen(words, stdout=subprocess.PIPE))
            running[-1].stdout.readline()
            time.sleep(0.05)
            found.append(processes.memory_gb([running[0].pid]))
    finally:
        for one in running:
            one.kill()
            one.wait()
    assert found[0] == pytest.approx(0.03, abs=0.02)
    assert found[1] == pytest.approx(found[0], abs=0.003)
