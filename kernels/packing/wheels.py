"""The wheels that a kernel needs and Kaggle's image lacks."""

import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from common.errors import KitError

PYTHON = "3.12"  # of Kaggle's image
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux2014_x86_64")
LIST = Path(__file__).parents[1] / "wheels.txt"
IMAGE = Path(__file__).parents[2] / "constraints-kaggle.txt"  # what the image carries, and these


def pinned(file: Path) -> dict[str, str]:
    """Return the pins of a requirements file by their normalised name."""
    lines = (line.partition("#")[0].partition(";")[0].strip() for line in file.open())
    return {normalise(line.partition("==")[0]): line for line in lines if "==" in line}


def normalise(name: str) -> str:
    """Return a distribution's name as indexes compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lacking(distributions: Mapping[str, str]) -> list[str]:
    """Return the pins of those distributions that have to be carried.

    Args:
        distributions: import name -> distribution.

    Raises:
        KitError: one is neither in the image nor in wheels.txt.
    """
    carried, image = pinned(LIST), pinned(IMAGE)
    for module, name in distributions.items():
        if normalise(name) not in carried.keys() | image.keys():
            raise KitError(
                f"expected libraries of the Kaggle image, got '{module}' ({name}), which it lacks; "
                f"add {name}==VERSION to kernels/{LIST.name}"
            )
    wanted = {normalise(name) for name in distributions.values()}
    return [pin for name, pin in carried.items() if name in wanted]


def fetch_wheels(pins: Sequence[str], target: Path, given: Path | None, cache: Path) -> list[Path]:
    """Put a wheel of each pin into `target`: from a folder, else from the package index.

    Args:
        given: a folder of wheels, instead of the index.
        cache: where those of the index are kept for the next time.

    Raises:
        KitError: one cannot be had.
    """
    if not given:
        _download([pin for pin in pins if not _wheel(pin, cache)], cache)
    found = []
    for pin in pins:
        wheel = _wheel(pin, given or cache)
        if wheel is None:
            raise KitError(f"expected a wheel of {pin} in '{given or cache}', found none")
        target.mkdir(parents=True, exist_ok=True)
        found.append(Path(shutil.copyfile(wheel, target / wheel.name)))
    return found


def _wheel(pin: str, folder: Path) -> Path | None:
    name, _, version = pin.partition("==")
    for file in sorted(folder.glob("*.whl")):
        of, number, *_ = file.name.split("-")
        if (normalise(of), number) == (normalise(name), version):
            return file
    return None


def _download(pins: Sequence[str], cache: Path) -> None:
    if not pins:
        return
    cache.mkdir(parents=True, exist_ok=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    of = ["--no-deps", "--only-binary=:all:", "--python-version", PYTHON]
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    command = [*pip, *of, *platforms, "--dest", str(cache), *pins]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise KitError(
            f"expected to fetch {', '.join(pins)}, got: {reason}; with a network run "
            f"`{' '.join(['pip download', *of, *platforms, *pins])}` and name its folder "
            "with --wheels"
        )
