"""What the tests push: a packed folder made by hand, and a service that lets it through."""

import json
from pathlib import Path

from common.config import Config

from .service_stub import Service

KEY = "key-that-nobody-may-see"
NAME = "wheat_detection"  # a competition of the kit with a slug
SLUG = "global-wheat-detection"
MEASURED = {
    "images": 10,
    "seconds": {"start": 20.0, "predict": 30.0, "total": 50.0},
    "peak_memory_gb": 3.5,
    "given_up": ["tta after 5 images"],
    "broken": [],
}


def write_packed(folder: Path, config: Config, runs: list[str], kind: str = "predict") -> None:
    metadata = {
        "id": "me/kernel",
        "title": "kernel",
        "code_file": f"{kind}.py",
        "language": "python",
        "kernel_type": "script",
        "is_private": True,
        "enable_gpu": True,
        "enable_internet": False,
        "dataset_sources": ["me/kit-wheels", "me/kit-checkpoints"],
        "competition_sources": [SLUG],
    }
    write(folder / "kernel" / "kernel-metadata.json", json.dumps(metadata))
    write(folder / "kernel" / f"{kind}.py", "print('predicting')\n")
    for part, file in (("wheels", "one-1.0-py3-none-any.whl"), ("checkpoints", "b-fold0.pt")):
        about = {"id": f"me/kit-{part}", "title": f"kit {part}", "licenses": [{"name": "other"}]}
        write(folder / part / "dataset-metadata.json", json.dumps(about))
        write(folder / part / file, f"bytes of {file}")
    files = {str(p.relative_to(folder)): p.stat().st_size for p in folder.rglob("*") if p.is_file()}
    facts = {"kind": kind, "competition": NAME, "slug": SLUG, "owner": "me", "kernel": "me/kernel"}
    facts |= {"runs": runs, "git": "abc123", "dirty": False, "files": files}
    facts["datasets"] = {part: f"me/kit-{part}" for part in ("wheels", "checkpoints")}
    write(folder / "packed.json", json.dumps({**facts, "config": config.model_dump(mode="json")}))


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def push_answers(kaggle: Service, text: str = "image_id,PredictionString\na,\n") -> None:
    """Let a push go through: the kernel runs, output is there."""
    kaggle.says(
        GetKernelSessionStatus=[
            {"status": "QUEUED"},
            {"status": "RUNNING"},
            {"status": "RUNNING"},
            {"status": "COMPLETE"},
        ],
        ListKernelSessionOutput=[
            {"log": log("loading\n"), "files": []},
            {"log": log("loading\n", "image 1\n"), "files": []},
            {
                "log": log("loading\n", "image 1\n", "done\n"),
                "files": [
                    kaggle.file("submission.csv", text.encode()),
                    kaggle.file("kernel.json", json.dumps(MEASURED).encode()),
                ],
            },
        ],
    )


def log(*pieces: str) -> str:
    return json.dumps([{"stream_name": "stdout", "time": 1.0, "data": piece} for piece in pieces])
