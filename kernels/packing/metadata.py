"""What Kaggle wants to know of a kernel and of a data set, with every field written."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from common.errors import KitError

NOBODY = "your-name"  # owner of what is packed where no account is known
SLUG = (5, 50)  # characters of a kernel's title and slug
SUFFIX = {"script": ".py", "notebook": ".ipynb"}


def kernel_metadata(
    ref: str,
    kind: str,
    code_file: str,
    *,
    gpu: bool,
    internet: bool,
    slug: str,
    datasets: Sequence[str],
    kernels: Sequence[str] = (),
) -> dict[str, Any]:
    """Return kernel-metadata.json of a private kernel.

    Args:
        ref: "owner/slug"; the title is the slug, for Kaggle makes the one from the other.
        kind: script or notebook.
        slug: Kaggle's name of the competition; empty: none is attached.
        datasets: "owner/slug" of each.
        kernels: "owner/slug" of kernels whose output is attached.
    """
    return {
        "id": ref,
        "title": ref.partition("/")[2],
        "code_file": code_file,
        "language": "python",
        "kernel_type": kind,
        "is_private": True,
        "enable_gpu": gpu,
        "enable_tpu": False,
        "enable_internet": internet,  # Kaggle's own default is on
        "machine_shape": "",
        "dataset_sources": list(datasets),
        "competition_sources": [slug] if slug else [],
        "kernel_sources": list(kernels),
        "model_sources": [],
        "keywords": [],
        "docker_image": "",
        "docker_image_pinning_type": "original",  # the image of its first version, kept
    }


def dataset_metadata(ref: str) -> dict[str, Any]:
    """Return dataset-metadata.json; a data set is private unless one makes it public."""
    title = ref.partition("/")[2]
    return {"id": ref, "title": title, "licenses": [{"name": "other"}]}


def name_slug(*parts: str) -> str:
    """Return a slug that Kaggle takes as it is: lower case, hyphens, 5 to 50 characters."""
    words = re.sub(r"[^a-z0-9]+", "-", "-".join(parts).lower()).strip("-")
    last = parts[-1]
    if len(words) > SLUG[1]:  # what it is stays readable, the competition's name is cut
        words = f"{words[: SLUG[1] - len(last) - 1].rstrip('-')}-{last}"
    if len(words) < SLUG[0]:
        raise KitError(f"expected a name of {SLUG[0]} characters or more, got '{words}'")
    return words


def find_owner(given: str) -> str:
    """Return the Kaggle user: as given, from KAGGLE_USERNAME or kaggle.json, else a placeholder."""
    if owner := given or os.environ.get("KAGGLE_USERNAME"):
        return owner
    folder = Path(os.environ.get("KAGGLE_CONFIG_DIR") or Path.home() / ".kaggle")
    try:
        return json.loads((folder / "kaggle.json").read_text())["username"]
    except (OSError, ValueError, KeyError, TypeError):
        return NOBODY


def notebook(script: str) -> str:
    """Return a notebook of one cell that runs the script."""
    cell = {
        "cell_type": "code",
        "execution_count": None,
        "id": "kit",
        "metadata": {},
        "outputs": [],
        "source": script.splitlines(keepends=True),
    }
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    meta = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return json.dumps({"cells": [cell], "metadata": meta, "nbformat": 4, "nbformat_minor": 5})
