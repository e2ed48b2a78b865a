"""A competition of one's own with a trained run, and wheels without a package index."""

import base64
import shutil
import zipfile
from importlib import metadata
from pathlib import Path

import pandas as pd
import pytest

from common.kernels_folder import kernels

COLOURS = ("blue", "green", "red")
FAST = (
    *("model.name=test_resnet", "model.weights=none", "data.img_size=32", "data.num_workers=0"),
    *("data.n_folds=3", "train.epochs=1", "train.batch_size=8"),
    *("log.loggers=local", "log.looks=none"),
)


@pytest.fixture
def data(colours, tmp_path) -> Path:
    """The colours as a competition gives them: csv of id and label, a sample submission."""
    folder = tmp_path / "data" / "colours"
    for part in ("train", "test"):
        (folder / part).mkdir(parents=True)
    train, test = colours[colours.fold != 0], colours[colours.fold == 0]
    for part, frame in (("train", train), ("test", test)):
        for row in frame.itertuples():
            (folder / part / row.image_id).write_bytes(Path(row.path).read_bytes())
    labels = [COLOURS[label] for label in train.label]
    pd.DataFrame({"image": train.image_id, "colour": labels}).to_csv(
        folder / "train.csv", index=False
    )
    pd.DataFrame({"image": test.image_id, "colour": "blue"}).to_csv(
        folder / "sample_submission.csv", index=False
    )
    return folder


@pytest.fixture(scope="session")
def first(tmp_path_factory) -> Path:
    """Where the first test that trains leaves a copy for the others."""
    return tmp_path_factory.mktemp("first")


@pytest.fixture
def trained(kit, data, first, tmp_path):
    """Return the command line, after `kit new` and `kit train` of the colours."""
    parts = ("competitions", "runs")
    if not (first / "runs").exists():
        code, text = kit("new", "colours", "--data", data)
        assert code == 0, text
        code, text = kit("train", "colours", "--data", data, *FAST)
        assert code == 0, text
        for part in parts:
            shutil.copytree(tmp_path / part, first / part)
    for part in parts:
        shutil.copytree(first / part, tmp_path / part, dirs_exist_ok=True)
    return kit


@pytest.fixture(scope="session")
def wheels(tmp_path_factory) -> Path:
    """The wheels that a kernel may need, made from what is installed here."""
    folder = tmp_path_factory.mktemp("wheels")
    for pin in kernels("packing.wheels").pinned(kernels("packing.wheels").LIST).values():
        make_wheel(pin, folder)
    return folder


def make_wheel(pin: str, folder: Path) -> Path:
    """Zip an installed distribution under the pinned version; enough for pip to install it."""
    name, _, version = pin.partition("==")
    found = metadata.distribution(name)
    stem = f"{name.replace('-', '_')}-{version}"
    info = f"{stem}.dist-info"
    files = [file for file in found.files or () if ".dist-info" not in str(file)]
    files = [file for file in files if file.suffix != ".pyc" and ".." not in file.parts]
    wheel = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for file in files:
            archive.write(str(found.locate_file(file)), str(file))
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: t\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        )
        archive.writestr(f"{info}/RECORD", "".join(f"{file},,\n" for file in files))
    return wheel


def embedded(script: str) -> bytes:
    """Return the archive within a packed script, compressed."""
    return base64.b64decode(script.partition('CODE = """')[2].partition('"""')[0])
