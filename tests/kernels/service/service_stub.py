"""Kaggle's service on loopback: scripted answers, every request on record, connections that break.

With KAGGLE_API_ENVIRONMENT=LOCALHOST the kaggle package posts to http://localhost/api/v1/...; with
HTTP_PROXY set to us, it posts that as an absolute address to us, whatever our port is.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit


@dataclass
class No:
    """An answer that is an error."""

    status: int
    message: str = "no"
    headers: dict[str, str] = field(default_factory=dict)


class Dropped:
    """No answer at all: the connection is closed."""


class RedirectTo(str):
    """An answer that points to another path of ours."""


@dataclass
class Asked:
    """A request that came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def name(self) -> str:
        """Method of the service, or "upload", "download"."""
        first, *rest = self.path.strip("/").split("/")
        return rest[-1] if first == "api" else first

    @property
    def json(self) -> dict[str, Any]:
        """What a call carries."""
        return json.loads(self.body or b"{}")


class Service:
    """Answers of each method, in order; the last one is repeated."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.asked: list[Asked] = []
        self.files: dict[str, bytes] = {}  # below /download/
        self.drops: list[int] = []  # bytes after which the next downloads break off
        self.ranges = True  # whether downloads can begin anywhere
        self.conditions = True  # whether If-Range is heeded
        self.tag = '"1"'  # of all downloads
        self.datasets: dict[str, list[str]] = {}  # that were made here -> states still to come
        self.answers: dict[str, list[Any]] = {}
        self.says(IntrospectToken={"active": True, "username": "me"})
        self.says(GetDatasetStatus=self.dataset_status)
        self.says(StartBlobUpload={"token": "blob-token", "createUrl": f"{url}/upload/blob"})
        self.says(CreateDataset={"ref": "me/d", "url": f"{url}/d", "status": "ok"})
        self.says(CreateDatasetVersion={"ref": "me/d", "url": f"{url}/d", "status": "ok"})
        self.says(SaveKernel=saved())
        self.says(GetKernelSessionStatus={"status": "COMPLETE"})
        self.says(ListKernelSessionOutput={"files": [], "log": ""})
        self.says(StartSubmissionUpload={"token": "token", "createUrl": f"{url}/upload/file"})
        self.says(CreateSubmission={"message": "Successfully submitted", "ref": 55})
        self.says(CreateCodeSubmission={"message": "Successfully submitted", "ref": 56})

    def says(self, **answers: Any) -> None:
        """Set what methods answer: one answer, or a list of them in order."""
        for name, answer in answers.items():
            self.answers[name] = answer if isinstance(answer, list) else [answer]

    def names(self) -> list[str]:
        """Return the methods that were asked for."""
        return [asked.name for asked in self.asked]

    def of(self, name: str) -> list[Asked]:
        """Return the requests of a method."""
        return [asked for asked in self.asked if asked.name == name]

    def file(self, name: str, data: bytes) -> dict[str, str]:
        """Offer a file of a kernel's output."""
        self.files[name] = data
        return {"url": f"{self.url}/download/{name}", "fileName": name}

    def next_answer(self, asked: Asked) -> Any:
        """Record the request and return what it gets."""
        self.asked.append(asked)
        if asked.name in ("CreateDataset", "CreateDatasetVersion"):
            slug = asked.json.get("slug") or asked.json["datasetSlug"]
            self.datasets[slug] = ["BLOBS_RECEIVED"]
        known = self.answers.get(asked.name, [No(404, f"nothing at {asked.path}")])
        answer = known.pop(0) if len(known) > 1 else known[0]
        return answer(asked) if callable(answer) else answer

    def dataset_status(self, asked: Asked) -> Any:
        """Answer as for data sets that were made here: received at the first look, then ready."""
        slug = asked.json["datasetSlug"]
        if slug not in self.datasets:
            return No(403, "Permission 'datasets.get' was denied")
        return {"status": self.datasets[slug].pop() if self.datasets[slug] else "READY"}


def saved(version: int = 3, kernel: str = "me/kernel", **more: Any) -> dict[str, Any]:
    """Return the answer to a saved kernel."""
    url = f"https://www.kaggle.com/code/{kernel}"
    return {"ref": f"/code/{kernel}", "url": url, "versionNumber": version, **more}


def submission(reference: int, status: str, public: str = "", **more: Any) -> dict[str, Any]:
    """Return the list of submissions with one in it."""
    one = {"ref": reference, "status": status, "publicScore": public, "fileName": "submission.csv"}
    return {
        "submissions": [{"ref": 1, "status": "COMPLETE", "publicScore": "0.1"}, {**one, **more}]
    }


class Handler(BaseHTTPRequestHandler):
    """Answers one request after another of a connection."""

    protocol_version = "HTTP/1.1"
    service: Service

    def log_message(self, *_: object) -> None:
        """Be quiet."""

    def do_POST(self) -> None:
        """Answer."""
        length = int(self.headers.get("Content-Length") or 0)
        path = urlsplit(self.path).path
        asked = Asked(self.command, path, dict(self.headers), self.rfile.read(length))
        if path.startswith("/upload/"):
            self.service.answers.setdefault("upload", [{}])
        answer = self.service.next_answer(asked)
        if isinstance(answer, Dropped):
            self.close_connection = True
        elif path.startswith("/download/") and not isinstance(answer, dict):
            self._download(self.service.files.get(path.removeprefix("/download/")))
        elif isinstance(answer, RedirectTo):
            self._send(302, {"Location": f"{self.service.url}{answer}"}, b"")
        elif isinstance(answer, No):
            body = {"code": answer.status, "message": answer.message}
            self._send(answer.status, answer.headers, json.dumps(body).encode())
        else:
            self._send(200, {}, json.dumps(answer).encode())

    do_GET = do_PUT = do_POST

    def _send(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _download(self, data: bytes | None) -> None:
        if data is None:
            self._send(404, {"Content-Type": "text/plain"}, b"gone")
            return
        start = self._first_byte()
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.send_header("Content-Length", str(len(data) - start))
        self.send_header("ETag", self.service.tag)
        self.end_headers()
        rest = data[start:]
        if self.service.drops:
            self.wfile.write(rest[: self.service.drops.pop(0)])
            self.close_connection = True
        else:
            self.wfile.write(rest)

    def _first_byte(self) -> int:
        same = self.headers.get("If-Range", self.service.tag) == self.service.tag
        same = same or not self.service.conditions
        wanted = self.headers.get("Range", "bytes=0-")
        return int(wanted[6:-1]) if self.service.ranges and same else 0


@contextmanager
def serve() -> Iterator[Service]:
    """Serve on a free port of loopback."""
    handler = type("Bound", (Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    handler.service = Service(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield handler.service
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
