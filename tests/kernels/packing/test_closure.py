import subprocess
import sys

import pytest

from common.errors import KitError
from common.kernels_folder import kernels

closure, wheels = kernels("packing.closure"), kernels("packing.wheels")
embed = kernels("packing.embed")
STORIES = ("alaska2_classification", "inria_segmentation", "wheat_detection")


def of(name, *parts):
    return closure.import_closure([f"competitions.{name}.{part}" for part in parts])


@pytest.mark.parametrize("name", STORIES)
def test_a_prediction_carries_its_own_competition_and_little_else(name):
    found = of(name, "predict", "data").files
    others = [other for other in STORIES if other != name]
    assert f"competitions.{name}.data" in found
    assert not [module for module in found if any(other in module for other in others)]
    assert not [module for module in found if module.startswith(("common.loggers", "common.cli"))]
    assert "common.callbacks.looks" not in found


def test_imports_within_functions_count():
    assert "common.data.transforms" in of("alaska2_classification", "predict").files
    assert "albumentations" in of("alaska2_classification", "predict").libraries


def test_only_the_wheels_that_a_task_needs_are_carried():
    def pins(name):
        libraries = of(name, "predict", "data").libraries
        return [pin.partition("==")[0] for pin in wheels.lacking(closure.distributions(libraries))]

    assert pins("alaska2_classification") == ["simplejpeg"]
    assert set(pins("inria_segmentation")) == {"segmentation-models-pytorch", "simplejpeg"}
    assert "ensemble-boxes" in pins("wheat_detection")
    assert "segmentation-models-pytorch" not in pins("wheat_detection")


def test_a_library_that_kaggle_lacks_is_named():
    with pytest.raises(
        KitError, match=r"'strange' \(strange-lib\), which it lacks; add strange-lib"
    ):
        wheels.lacking({"strange": "strange-lib"})


def test_a_module_that_is_missing_is_found_before_kaggle_finds_it():
    files = of("alaska2_classification", "predict", "data").files
    left_out = {name: file for name, file in files.items() if name != "common.keys"}
    code = embed.embed({closure.archive_name(*item): item[1] for item in left_out.items()})
    with pytest.raises(KitError, match=r"got: .*keys"):
        embed.prove(code, ["common.evaluation"])


def test_every_loaded_module_is_one_that_was_followed():
    """The statement of imports against what Python really loads."""
    code = (
        "import sys, competitions.wheat_detection.predict;"
        "print(*(n for n in sys.modules if n.partition('.')[0] in ('common', 'competitions')))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= set(of("wheat_detection", "predict").files)


def test_the_same_files_give_the_same_text(tmp_path):
    (tmp_path / "a.py").write_text("x = 1\n")
    first = embed.embed({"a.py": tmp_path / "a.py"})
    (tmp_path / "a.py").touch()
    assert embed.embed({"a.py": tmp_path / "a.py"}) == first
