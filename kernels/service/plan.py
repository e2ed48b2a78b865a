"""What `--dry-run` prints: each request that would be sent, none of which is."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ..packing.packed import ABOUT, METADATA, Packed, files_of, read_json
from .fetch import mega, partial_of, size_of

NOTHING = "dry run: nothing was sent"
DATASET, BLOB = "datasets.DatasetApiService", "blobs.BlobApiService"
KERNEL, COMPETITION = "kernels.KernelsApiService", "competitions.CompetitionApiService"


def push_plan(packed: Packed, wait: bool) -> list[str]:
    """Return a line for each request of a push, with what it carries and how large that is."""
    lines = [line for part in packed.datasets for line in _dataset_lines(packed, part)]
    metadata = read_json(packed.code / ABOUT)
    code = packed.script
    lines.append(post(KERNEL, "SaveKernel", f"{code.name}, {mega(size_of(code))}", metadata))
    if wait:
        of = {"userName/kernelSlug": packed.kernel}
        lines.append(post(KERNEL, "GetKernelSessionStatus", "until it has ended", of))
        lines.append(post(KERNEL, "ListKernelSessionOutput", "its log and files", of))
        lines.append(f"GET  each file of the output into {packed.output}")
    return [*lines, NOTHING]


def kernel_plan(
    competition: str, kernel: str, version: int, file: str, message: str, wait: bool
) -> list[str]:
    """Return a line for each request of a code submission."""
    values = {"competitionName": competition, "kernel": kernel, "kernelVersion": version}
    values |= {"fileName": file, "submissionDescription": message}
    look = post(
        KERNEL, "GetKernelSessionStatus", "has it succeeded", {"userName/kernelSlug": kernel}
    )
    return [
        look,
        post(COMPETITION, "CreateCodeSubmission", "", values),
        *_scores(competition, wait),
    ]


def file_plan(competition: str, file: Path, message: str, wait: bool) -> list[str]:
    """Return a line for each request of a submission by file."""
    name, size = {"competitionName": competition}, mega(size_of(file))
    about = name | {"fileName": file.name, "contentLength": size_of(file)}
    return [
        post(COMPETITION, "StartSubmissionUpload", "", about),
        f"PUT  {file}, {size}",
        post(COMPETITION, "CreateSubmission", "", name | {"submissionDescription": message}),
        *_scores(competition, wait),
    ]


def download_plan(competition: str, archive: Path, folder: Path) -> list[str]:
    """Return a line for each request of a download."""
    there = size_of(partial_of(archive))
    goes_on = f", from byte {there} on" if there else ""
    return [
        post(COMPETITION, "DownloadDataFiles", "", {"competitionName": competition}),
        f"GET  the archive that it names{goes_on}, into {archive}, unpacked into {folder}",
        NOTHING,
    ]


def post(service: str, method: str, what: str, values: dict[str, Any]) -> str:
    """Return the line of one request."""
    return f"POST {service}/{method} {f'({what}) ' if what else ''}{json.dumps(values)}"


def _scores(competition: str, wait: bool) -> Sequence[str]:
    of = {"competitionName": competition}
    return [post(COMPETITION, "ListSubmissions", "until it is scored", of)] * wait + [NOTHING]


def _dataset_lines(packed: Packed, part: str) -> Iterator[str]:
    ref, metadata = packed.datasets[part], read_json(packed.folder / part / METADATA)
    is_known, is_pushed = part in packed.pushed["datasets"], packed.is_pushed(part)
    yield post(DATASET, "GetDatasetStatus", "is it there", {"ownerSlug/datasetSlug": ref})
    if is_pushed:
        yield f"     {ref} is unchanged: not uploaded unless it is gone"
        return
    for file in files_of(packed.folder / part):
        if file.name != METADATA:
            about = {"type": "DATASET", "name": file.name, "contentLength": size_of(file)}
            yield post(BLOB, "StartBlobUpload", "", about)
            yield f"PUT  {file.name}, {mega(size_of(file))}"
    method = "CreateDatasetVersion" if is_known else "CreateDataset"
    yield post(DATASET, method, "" if is_known else "or a version, if it is there", metadata)
    yield post(DATASET, "GetDatasetStatus", "until it is ready", {"ownerSlug/datasetSlug": ref})
