"""The program that a packed kernel is, whether a script or a notebook."""

import json
from pathlib import Path

from common.errors import KitError


def write_script(kernel: Path, folder: Path) -> Path:
    """Return the script; of a notebook, its cells of code one after another in `folder`."""
    if kernel.suffix != ".ipynb":
        return kernel
    cells = json.loads(kernel.read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    lines = [line for cell in code for line in cell.splitlines()]
    if magic := next((line for line in lines if line.startswith(("%", "!"))), None):
        raise KitError(f"expected cells of Python in '{kernel}', got '{magic}'; pack a script")
    script = folder / f"{kernel.stem}.py"
    script.write_text("\n\n".join(code) + "\n")
    return script
