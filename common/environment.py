"""What a run stands on: machine, versions, places, seeds."""

import os
import platform
import random
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from common import distributed
from common.errors import KitError

RECORDED = (
    "torch torchvision fastai fastcore timm albumentations wandb numpy pandas "
    "scikit-learn segmentation-models-pytorch opencv-python-headless simplejpeg "
    "kaggle-vision-kit"
)

SECRET = ("KEY", "TOKEN", "SECRET", "PASSWORD")  # in names of environment variables
SHORTEST_SECRET = 8  # characters; what is shorter may be an ordinary word


def data_dir(competition: str, given: Path | None = None) -> Path:
    """Return the folder with the competition's files, or say how to get it."""
    folder = given or default_data_dir(competition)
    if not folder.is_dir():
        raise KitError(
            f"expected the data of {competition} in '{folder}', found no such folder; "
            f"name it with --data DIR or KIT_DATA, or write demo data: kit demo {competition}"
        )
    return folder


def default_data_dir(competition: str) -> Path:
    """Return where data lies when no folder is named: KIT_DATA, else data/<competition>."""
    if not (value := os.environ.get("KIT_DATA")):
        return Path("data") / competition
    root = Path(value)  # the competition's own folder, or one that holds several
    return root / competition if (root / competition).is_dir() else root


def runs_dir(given: Path | None = None) -> Path:
    """Return the folder that all runs go to."""
    return given or Path(os.environ.get("KIT_RUNS", "runs"))


def describe() -> dict[str, Any]:
    """Return what `environment.json` keeps: versions, hardware and the state of the code."""
    return {
        "python": sys.version.split()[0],
        "platform": platform.platform(),
        "packages": {name: version for name in RECORDED.split() if (version := _version(name))},
        "device": _device_name(),
        "cpus": os.cpu_count(),
        "processes": distributed.size(),
        "git": _git("rev-parse", "HEAD"),
        "git_dirty": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "command": redact(" ".join([Path(sys.argv[0]).name, *sys.argv[1:]])),
    }


def git_state() -> dict[str, Any]:
    """Return the commit of the code, whether files differ from it, and which."""
    changed = (_git("status", "--porcelain") or "").splitlines()
    return {
        "git": _git("rev-parse", "HEAD"),
        "dirty": bool(changed),
        "changed": [line.strip().partition(" ")[2].strip() for line in changed],
    }


def redact(text: str) -> str:
    """Return the text with secret environment variables' values, and addresses' users, as `***`."""
    for name, value in os.environ.items():
        if len(value) >= SHORTEST_SECRET and any(word in name.upper() for word in SECRET):
            text = text.replace(value, "***")
    return hide_password(text)


def hide_password(text: str) -> str:
    """Return the text with the user and password of addresses as `***`.

    All before the last @ of a word is hidden, for a password may hold a slash or an @ as it is;
    so is `password=` among an address's options.
    """
    text = re.sub(r"(?<=://)(?!/)\S+@", "***@", text)
    return re.sub(r"(?i)(?<=[?&]password=)[^\s&'\"]+", "***", text)


def device() -> Any:
    """Return the torch device to work on: the first GPU, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def to_device(value: Any, device: Any) -> Any:
    """Return a batch with its tensors on the device: dicts and lists of tensors, the rest as is."""
    import torch

    if isinstance(value, torch.Tensor):
        return value.to(device, non_blocking=True)
    if isinstance(value, dict):
        return {key: to_device(part, device) for key, part in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], torch.Tensor):
        return [to_device(part, device) for part in value]
    return value


def seed_everything(seed: int, deterministic: bool = False) -> None:
    """Seed Python, numpy and torch; `deterministic` also forbids non-deterministic kernels."""
    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002 - libraries below us still draw from it
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(deterministic, warn_only=True)
    torch.backends.cudnn.benchmark = not deterministic
    if deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _device_name() -> str:
    import torch

    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return platform.processor() or platform.machine()


def _git(*arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
