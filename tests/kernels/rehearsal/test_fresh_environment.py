"""The fresh environment has what the Kaggle image has, and the kernel has to bring the rest."""

import subprocess
import zipfile
from pathlib import Path

import pytest

from common.kernels_folder import kernels

from .rehearsals import NAME, plant, write_data, write_packed

fresh = kernels("rehearsal.fresh_environment")
BRING = (
    "import subprocess, tempfile",
    "import importlib.util",
    "assert importlib.util.find_spec('ensemble_boxes') is None",
    "place = tempfile.mkdtemp()",
    "wheels = [str(file) for file in INPUT.rglob('*.whl')]",
    "words = [sys.executable, '-m', 'pip', 'install', '-q', '--no-index', '--no-deps']",
    "subprocess.run([*words, '--target', place, *wheels], check=True)",
    "sys.path.insert(0, place)",
    "import ensemble_boxes",
    "assert ensemble_boxes.BROUGHT",
)


def write_wheel(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    info = "ensemble_boxes-1.0.9.dist-info"
    wheel = folder / "ensemble_boxes-1.0.9-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("ensemble_boxes/__init__.py", "BROUGHT = True\n")
        archive.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: ensemble-boxes\nVersion: 1.0.9\n"
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{info}/RECORD", "ensemble_boxes/__init__.py,,\n")
    return wheel


def works(environment, statement: str) -> bool:
    words = [environment.python, "-I", "-c", statement]
    return subprocess.run(words, capture_output=True).returncode == 0


def test_it_has_what_the_image_has_and_nothing_of_the_kit(environment):
    assert works(environment, "import numpy, PIL.Image; numpy.ones(3) @ numpy.ones(3)")
    there = "from importlib import metadata, util; metadata.version('fastai'); assert all("
    assert works(environment, there + "map(util.find_spec, ('torch', 'fastai', 'timm', 'pip')))")
    for absent in ("common", "competitions", "ensemble_boxes", "segmentation_models_pytorch"):
        assert not works(environment, f"import {absent}")


def test_wheels_are_brought_by_the_kernel(seen, monkeypatch, tmp_path, environment):
    found = kernels("packing.packed").Packed
    find = found.find

    def with_wheel(name, packed):
        write_wheel(packed / "wheels")
        return find(name, packed)

    monkeypatch.setattr(found, "find", with_wheel)
    trial = seen(plant("at_start", *BRING)).trials[0]
    assert trial.outcome.code == 0, trial.outcome.log
    assert trial.outcome.network == ()


@pytest.mark.parametrize(
    ("wheel", "good"),
    [
        ("a-1-py3-none-any.whl", True),
        ("a-1-py2.py3-none-any.whl", True),
        ("a-1-cp312-cp312-manylinux_2_28_x86_64.whl", True),
        ("a-1-1-cp312-cp312-manylinux_2_28_x86_64.whl", True),
        ("a-1-cp39-abi3-manylinux_2_28_x86_64.whl", True),
        ("a-1-cp311-cp311-manylinux_2_28_x86_64.whl", False),
        ("a-1-cp313-abi3-manylinux_2_28_x86_64.whl", False),
        ("a-1-cp312-cp312-win_amd64.whl", False),
        ("a-1-py2-none-any.whl", False),
    ],
)
def test_which_wheels_fit(wheel, good, monkeypatch):
    monkeypatch.setattr(fresh.sys, "platform", "linux")
    assert fresh.fits(wheel, (3, 12, 1)) is good


def test_a_wheel_of_another_python_is_named_and_replaced(kit, tmp_path):
    packed, data = write_packed(tmp_path / "packed"), write_data(tmp_path / "data")
    (packed / "wheels").mkdir()
    wheel = "simplejpeg-1.9.0-cp39-cp39-manylinux_2_28_x86_64.whl"
    (packed / "wheels" / wheel).write_bytes(b"")
    look = "import simplejpeg"
    (packed / "kernel" / "predict.py").write_text(plant("at_start", look))
    code, text = kit("kernel", "rehearse", NAME, "--packed", packed, "--data", data)
    assert "NOT TRIED: simplejpeg 1.9.0" in text
    assert "not tried: 1 of its wheels" in " ".join(text.split())  # a narrow terminal breaks it
    assert code == 0, text


def test_the_list_of_wheels_is_read_by_name():
    assert "ensemble-boxes" in fresh.wanted_wheels()
    assert not any(name.startswith("#") or "=" in name for name in fresh.wanted_wheels())
