"""Getting a kernel's machine ready, and keeping account of what was used there."""

import importlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

SHOWN = ("torch", "torchvision", "timm", "fastai", "albumentations", "numpy", "pandas")
ACCOUNT = "kernel.json"  # in the working folder; a rehearsal reads it
SECRETS = ("WANDB_API_KEY",)  # taken from Kaggle's secrets where there are any


def print_versions(packed: Mapping[str, Any]) -> None:
    """Print what is packed and on what it runs; imports nothing of it."""
    dirty = " with uncommitted changes" if packed.get("dirty") else ""
    print(f"{packed['kernel']}: made {packed['made']} from {packed['git']}{dirty}", flush=True)
    found = ((name, installed(name)) for name in SHOWN)
    listed = ", ".join(f"{name} {version}" for name, version in found if version)
    print(f"python {platform.python_version()}, {listed}", flush=True)


def installed(name: str) -> str | None:
    """Return the version of an installed distribution."""
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def install_wheels(folder: Path, target: Path) -> list[str]:
    """Install what is not there yet from a folder of wheels, without a network, into `target`.

    A wheel that cannot be installed is said and left out: whatever needs it will name it.

    Returns:
        Names and versions of what was installed.
    """
    wheels = [path.name.split("-")[:2] for path in sorted(folder.glob("*.whl"))]
    wanted = [f"{name}=={version}" for name, version in wheels if installed(name) is None]
    sys.path.append(str(target))  # behind the image's own packages
    done = [requirement for requirement in wanted if _install(requirement, folder, target)]
    importlib.invalidate_caches()
    if done:
        print(f"installed {', '.join(done)}", flush=True)
    return done


def read_secrets(names: Iterable[str] = SECRETS) -> list[str]:
    """Put Kaggle's secrets into the environment, as far as there are any; say nothing of them.

    Returns:
        The names of those that were found. Without internet, or without any, that is none.
    """
    try:
        from kaggle_secrets import UserSecretsClient

        client = UserSecretsClient()
    except Exception:  # no Kaggle, or one that refuses: a kernel must do without
        return []
    found = []
    for name in names:
        try:
            os.environ.setdefault(name, client.get_secret(name))
            found.append(name)
        except Exception:  # not attached, or no internet
            continue
    return found


def write_account(folder: Path, begun: float, **facts: Any) -> None:
    """Write what was used: seconds since `begun`, peak memory with child processes, and `facts`."""
    taken = {**facts.pop("seconds", {}), "total": time.time() - begun}
    seconds = {part: round(value, 2) for part, value in taken.items()}
    peak = [resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, _CHILDREN)]
    account = {"seconds": seconds, "peak_memory_gb": round(sum(peak) / 2**20, 3), **facts}
    (folder / ACCOUNT).write_text(json.dumps(account, indent=2))
    print(f"{seconds['total']:.0f} s, at most {account['peak_memory_gb']} GB of memory", flush=True)


_CHILDREN = resource.RUSAGE_CHILDREN


def _install(requirement: str, folder: Path, target: Path) -> bool:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-index", "--no-deps"]
    places = ["--disable-pip-version-check", "--find-links", str(folder), "--target", str(target)]
    done = subprocess.run([*pip, *places, requirement], capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"warning: cannot install {requirement}: {reason}", flush=True)
    return done.returncode == 0
