"""Code as text: the same files give the same text, whenever and wherever they are packed."""

import base64
import io
import lzma
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from common.errors import KitError

LINE = 100  # characters


def embed(files: Mapping[str, Path]) -> str:
    """Return files, by their path in the archive, as tar, xz, base64."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name, file in sorted(files.items()):
            info, content = tarfile.TarInfo(name), file.read_bytes()
            info.size, info.mode = len(content), 0o644  # no owner, no time: they are not code
            archive.addfile(info, io.BytesIO(content))
    return base64.b64encode(lzma.compress(raw.getvalue(), preset=9)).decode()


def fill(template: str, packed: Mapping[str, object], code: str) -> str:
    """Return a kernel script with what is packed and the code in place of its two empty values."""
    values = {"PACKED: dict = {}": f"PACKED: dict = {dict(packed)!r}", 'CODE = ""': _quote(code)}
    for empty, value in values.items():
        if template.count(empty) != 1:
            raise KitError(f"expected one line {empty} in the kernel's template; put it back")
        template = template.replace(empty, value)
    return template


def prove(code: str, modules: list[str]) -> None:
    """Import every module from the embedded code alone, in a Python that sees no other of it.

    Raises:
        KitError: a module is missing, or was taken from elsewhere.
    """
    with TemporaryDirectory() as place:
        raw = lzma.decompress(base64.b64decode(code))
        with tarfile.open(fileobj=io.BytesIO(raw)) as archive:
            archive.extractall(place, filter="data")
        command = [sys.executable, "-I", "-c", PROOF, place, *modules]
        done = subprocess.run(command, capture_output=True, text=True, cwd=place)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise KitError(
            f"expected the packed code to be complete, got: {reason}; import by name only what "
            "predict.py, data.py and their imports name"
        )


PROOF = """
import importlib, sys
from pathlib import Path
place, *modules = sys.argv[1:]
sys.path.insert(0, place)
for name in modules:
    importlib.import_module(name)
ours = [m for n, m in sys.modules.items() if n.partition(".")[0] in ("common", "competitions")]
strange = [m.__file__ for m in ours if not Path(m.__file__ or place).is_relative_to(place)]
sys.exit(f"taken from elsewhere: {strange[:3]}" if strange else 0)
"""


def _quote(code: str) -> str:
    lines = [code[at : at + LINE] for at in range(0, len(code), LINE)]
    return "\n".join(['CODE = """', *lines, '"""'])
