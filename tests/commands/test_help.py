"""Help is there at once, and names every command."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ["torch", "torchvision", "fastai", "timm", "albumentations", "cv2", "numpy", "pandas"]
HEAVY += ["pyarrow", "sklearn", "scipy", "matplotlib", "wandb", "tensorboard", "pydantic", "rich"]
HEAVY += ["pygments", "yaml", "requests", "optuna", "competitions"]
TYPERS_OWN = {"pydantic"}  # by which its newest versions read the options of one command
SHOW_HELP = f"""
import sys
from common.cli import app
app(sys.argv[1:], standalone_mode=False)
print("loaded:", *sorted({{name.partition(".")[0] for name in sys.modules}} & set({HEAVY})))
"""


@pytest.mark.parametrize("words", [("--help",), ("train", "--help"), ("kernel", "pack", "--help")])
def test_help_needs_no_heavy_imports(words):
    command = [sys.executable, "-c", SHOW_HELP, *words]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.startswith("Usage: "), done.stderr
    loaded = set(done.stdout.split("loaded:")[-1].split())
    assert loaded <= (TYPERS_OWN if words[0] != "--help" else set())


def test_help_names_every_command(project):
    code, text = project("--help")
    assert code == 0
    assert {"train", "predict", "oof", "new", "demo", "kernel", "sweep"} <= set(text.split())
