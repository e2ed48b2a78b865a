"""What the kaggle package does wrong in uploads, put right."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from common.errors import KitError

from .answers import Doing
from .asking import ask

NOT_UPLOADED = ("dataset-metadata.json", "kernel-metadata.json")


def mend_uploads(api: Any) -> None:
    """Make an api say when it lost a file, and ask again as patiently as we do."""
    api.with_retry = _retried
    api.upload_files = _counted(api.upload_files)


def _retried(call: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
    doing = Doing("upload to Kaggle", "dataset")
    return lambda *arguments: ask(doing, lambda: call(*arguments))


def _counted(upload: Callable[..., None]) -> Callable[..., None]:
    """Return `upload_files` with a count after it: up to 2.2.4 it skips what did not go through."""

    def upload_files(request: Any, resources: Any, folder: str, *rest: Any, **named: Any) -> None:
        wanted = [path for path in Path(folder).iterdir() if path.name not in NOT_UPLOADED]
        try:
            upload(request, resources, folder, *rest, **named)
        except KitError:
            raise
        except ValueError:
            request.files.clear()
        if len(request.files) != len(wanted):
            raise KitError(
                f"expected to upload all {len(wanted)} files of '{folder}', got some that did not "
                "go through; the data set is as it was: run this again"
            )

    return upload_files
