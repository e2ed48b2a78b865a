"""Importing what lies in kernels/, under a name that no other library has."""

import importlib
import sys
from pathlib import Path
from types import ModuleType

from common.errors import KitError

ALIAS = "kit_kernels"  # with the root on sys.path, `kernels` would shadow Hugging Face's package
PACKED = "packed.json"  # what a packed folder holds
FOLDER = Path(__file__).parents[1] / "kernels"


def kernels(name: str) -> ModuleType:
    """Import a module of kernels/; there, modules import one another as `from .name import ...`.

    Raises:
        KitError: the folder is not there; a packed kernel does not carry it.
    """
    if not FOLDER.is_dir():
        raise KitError(f"expected the folder '{FOLDER}', found none; work in a clone of the kit")
    if ALIAS not in sys.modules:
        package = ModuleType(ALIAS)
        package.__path__ = [str(FOLDER)]
        sys.modules[ALIAS] = package
    return importlib.import_module(f"{ALIAS}.{name}")
