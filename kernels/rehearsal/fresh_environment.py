"""A Python as the Kaggle image has it: this machine's packages without the kit and its wheels.

Nothing is installed: the environment's packages are links to those of an interpreter, so that it
takes a second. What kernels/wheels.txt names is left out, and the kernel has to bring it.
"""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from common.errors import KitError
from common.kernels_folder import FOLDER

KIT = "kaggle-vision-kit"
GUARD = "rehearsal_guard"
KAGGLES = FOLDER.parent / ".venv-kaggle" / "bin" / "python"
SHOWN = ("torch", "fastai", "timm", "numpy", "pandas")
ASK = (
    "import json, sys; print(json.dumps({'version': list(sys.version_info[:3]), 'sites': "
    "[p for p in sys.path if p.endswith(('site-packages', 'dist-packages'))]}))"
)


@dataclass(frozen=True)
class Environment:
    """A made environment.

    Attributes:
        python: its interpreter.
        site: folder of its packages.
        says: versions of it, for people.
        unfit: wheels that are not for this Python; its own packages take their place.
    """

    python: Path
    site: Path
    says: str
    unfit: tuple[str, ...]


@dataclass(frozen=True)
class Interpreter:
    """An interpreter and where its packages lie, the first found first."""

    python: Path
    version: tuple[int, int, int]
    sites: tuple[Path, ...]

    @property
    def is_kaggles(self) -> bool:
        """Whether it was made with the Kaggle image's packages."""
        return self.python == KAGGLES

    @classmethod
    def ask(cls, python: Path) -> "Interpreter":
        """Start it, without what the environment or the user adds."""
        done = subprocess.run([python, "-E", "-s", "-c", ASK], capture_output=True, text=True)
        if done.returncode:
            raise KitError(f"expected a Python at '{python}', got: {done.stderr.strip()[-300:]}")
        answer = json.loads(done.stdout)
        major, minor, micro = answer["version"]
        return cls(python, (major, minor, micro), tuple(map(Path, answer["sites"])))


def choose_interpreter() -> Interpreter:
    """Return the one with the Kaggle image's packages where it was made, else this one."""
    return Interpreter.ask(KAGGLES if KAGGLES.is_file() else Path(sys.executable))


def make_environment(
    folder: Path, base: Interpreter, wheels: Sequence[str], left_out: Iterable[str] | None = None
) -> Environment:
    """Make the environment in a new folder.

    Args:
        wheels: names of the wheels that the kernel brings.
        left_out: names of the packages that the Kaggle image lacks; None: those of wheels.txt.
    """
    unfit = tuple(wheel for wheel in wheels if not fits(wheel, base.version))
    lacking = set(map(normal, wanted_wheels() if left_out is None else left_out))
    lacking -= {normal(wheel.split("-")[0]) for wheel in unfit}
    pip = any((site / "pip").is_dir() for site in base.sites)
    _make_venv(folder, base.python, pip=not pip)
    major, minor, _ = base.version
    site = folder / "lib" / f"python{major}.{minor}" / "site-packages"
    for source in base.sites:
        _link_packages(source, site, lacking | {KIT})
    shutil.copyfile(Path(__file__).with_name("sandbox_guard.py"), site / f"{GUARD}.py")
    (site / f"{GUARD}.pth").write_text(f"import {GUARD}\n")
    return Environment(folder / "bin" / "python", site, _describe(base), unfit)


def wanted_wheels() -> list[str]:
    """Return the names of the packages in kernels/wheels.txt."""
    lines = (line.split("#")[0].strip() for line in (FOLDER / "wheels.txt").read_text().split("\n"))
    return [re.split(r"[=<>~!\[; ]", line)[0] for line in lines if line]


def fits(wheel: str, version: tuple[int, int, int]) -> bool:
    """Tell whether a wheel's name says that it is for this Python and machine (PEP 425)."""
    python, abi, system = wheel.removesuffix(".whl").split("-")[-3:]
    tags, (major, minor, _) = python.split("."), version
    exact = {f"py{major}", f"py{major}{minor}", f"cp{major}{minor}"}
    stable = abi == "abi3" and any(
        tag.startswith(f"cp{major}") and int(tag[3:] or 0) <= minor for tag in tags
    )
    machine = system == "any" or (sys.platform == "linux" and "linux" in system)
    return (stable or bool(exact & set(tags))) and machine


def normal(name: str) -> str:
    """Return a package's name as indices compare it (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _make_venv(folder: Path, python: Path, pip: bool) -> None:
    words = [python, "-E", "-s", "-m", "venv", "--symlinks", *(() if pip else ("--without-pip",))]
    done = subprocess.run([*words, folder], capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-300:]
        raise KitError(f"expected '{python}' to make an environment, got: {said}; install venv")


def _link_packages(source: Path, site: Path, left_out: set[str]) -> None:
    hidden = {"__pycache__", *_entries(source, left_out)}
    for entry in source.resolve().iterdir():
        place = site / entry.name
        if entry.name not in hidden and not place.exists():
            place.symlink_to(entry)


def _entries(source: Path, packages: set[str]) -> set[str]:
    """Return what lies in the folder on behalf of the packages, as their records say."""
    entries: set[str] = set()
    for info in source.glob("*.dist-info"):
        if normal(info.name.split("-")[0]) in packages:
            record = info / "RECORD"
            lines = record.read_text().splitlines() if record.is_file() else []
            entries |= {info.name, *(line.split(",")[0].split("/")[0] for line in lines)}
    return entries


def _describe(base: Interpreter) -> str:
    versions = {}
    for info in (info for site in base.sites for info in site.glob("*.dist-info")):
        name, _, version = info.name.removesuffix(".dist-info").partition("-")
        versions.setdefault(normal(name), version)
    known = [f"{name} {versions[name]}" for name in SHOWN if name in versions]
    return ", ".join([f"Python {'.'.join(map(str, base.version))}", *known])
