"""Kaggle's service; the only file that imports its package, which logs in when it is imported.

The package's command line ends with code 0 whatever happens, so its Python interface is used, and
the client below it where that hides an answer.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import requests

from common.errors import KitError

from .answers import TOKEN, Doing, Refused, refusal
from .asking import PATIENT, SECRETS, TRIES, ask
from .ranges import reopen
from .replies import Saved, Submission, saved_of, submission_of
from .uploads import mend_uploads

LOGIN = Doing("log in to Kaggle")


def connect() -> "Service":
    """Log in with the credentials of the environment or of ~/.kaggle.

    Raises:
        KitError: there are none, Kaggle does not know them, or it cannot be reached.
    """
    return Service(ask(LOGIN, _log_in))


class Service:
    """Questions to Kaggle; each raises a KitError of one line where the answer is no."""

    def __init__(self, api: Any) -> None:
        self._api = api
        values = api.config_values
        self.user: str = values.get("username") or ""
        SECRETS.update(values[key] for key in ("key", "token") if values.get(key))
        mend_uploads(api)

    def dataset_status(self, ref: str, tries: int = TRIES) -> str:
        """Return "ready", "failed", ... or "" if there is no such data set (of ours)."""
        doing = Doing(f"look at the data set {ref}", "dataset", ref)
        try:
            return ask(doing, lambda: self._api.dataset_status(ref), tries=tries)
        except Refused as error:
            if error.status in (403, 404):  # Kaggle forbids to look at what does not exist
                return ""
            raise

    def create_dataset(self, folder: Path, ref: str) -> None:
        """Upload a folder as a new, private data set."""
        doing = Doing(f"create the data set {ref}", "dataset", ref)
        self._save(doing, self._api.dataset_create_new, str(folder))

    def add_version(self, folder: Path, ref: str, notes: str) -> None:
        """Upload a folder as the next version of a data set."""
        doing = Doing(f"add a version to the data set {ref}", "dataset", ref)
        self._save(doing, self._api.dataset_create_version, str(folder), notes)

    def push_kernel(self, folder: Path, kernel: str) -> Saved:
        """Save the kernel of a folder, which runs it.

        Raises:
            KitError: also where Kaggle took it without one of its inputs.
        """
        doing = Doing(f"push the kernel {kernel}", "kernel", kernel)
        answer = ask(doing, lambda: self._api.kernels_push(str(folder)), once=True)
        if answer.error:
            raise refusal(doing, answer.error)
        return saved_of(answer, kernel)

    def kernel_state(self, kernel: str) -> tuple[str, str]:
        """Return the status of the newest version's run ("queued", "running", ...) and why."""
        from kagglesdk.kernels.types import kernels_api_service as types

        request = types.ApiGetKernelSessionStatusRequest()
        request.user_name, request.kernel_slug = kernel.split("/")
        doing = Doing(f"look at the kernel {kernel}", "kernel", kernel)
        answer = self._client(
            doing,
            lambda client: client.kernels.kernels_api_client.get_kernel_session_status(request),
        )
        return answer.status.name.lower(), answer.failure_message or ""

    def kernel_output(self, kernel: str) -> tuple[list[tuple[str, str]], str]:
        """Return name and address of each file that the run left, and its log."""
        from kagglesdk.kernels.types import kernels_api_service as types

        request = types.ApiListKernelSessionOutputRequest()
        request.user_name, request.kernel_slug = kernel.split("/")
        doing = Doing(f"list the output of the kernel {kernel}", "kernel", kernel)
        files, log, token = [], "", None
        while token != "":
            if token:
                request.page_token = token
            answer = self._client(
                doing,
                lambda c: c.kernels.kernels_api_client.list_kernel_session_output(request),
            )
            files += [(file.file_name, file.url) for file in answer.files or []]
            log, token = log or answer.log or "", answer.next_page_token or ""
        return files, log

    def submit_kernel(
        self, competition: str, kernel: str, version: int, file: str, message: str
    ) -> int:
        """Submit a kernel's version, by the file that it writes; return the reference."""
        doing = Doing(f"submit {kernel} version {version}", "submission", competition)
        call = self._api.competition_submit_code
        return self._submit(doing, lambda: call(file, message, competition, kernel, version, True))

    def submit_file(self, competition: str, file: Path, message: str) -> int:
        """Upload and submit a file; return the submission's reference."""
        doing = Doing(f"submit '{file}'", "submission", competition)
        call = self._api.competition_submit
        return self._submit(doing, lambda: call(str(file), message, competition, True))

    def submission(self, competition: str, reference: int) -> Submission | None:
        """Return what is known of a submission, None if it is not listed (yet)."""
        doing = Doing(f"list the submissions to {competition}", "submission", competition)
        listed = ask(doing, lambda: self._api.competition_submissions(competition), tries=PATIENT)
        for one in listed or []:
            if one.ref == reference:
                return submission_of(one)
        return None

    def archive(self, competition: str, start: int = 0, same_as: str = "") -> requests.Response:
        """Open the archive of a competition's data from a byte on; the answer streams.

        Args:
            same_as: ETag or date of what lies here up to `start`: all of it comes, from its
                first byte on, where the archive is another by now.
        """
        from kagglesdk.competitions.types import competition_api_service as types

        request = types.ApiDownloadDataFilesRequest()
        request.competition_name = competition
        doing = Doing(f"download the data of {competition}", "competition", competition)

        def opened(client: Any) -> requests.Response:
            return client.competitions.competition_api_client.download_data_files(request)

        found = self._client(doing, opened)
        return found if not start else ask(doing, lambda: reopen(found, start, same_as))

    def _client(self, doing: Doing, call: Callable[[Any], Any]) -> Any:
        """Ask through the client below the package's interface."""

        def asked() -> Any:
            with self._api.build_kaggle_client() as client:
                return call(client)

        return ask(doing, asked, tries=PATIENT if doing.kind == "kernel" else TRIES)

    def _save(self, doing: Doing, call: Callable[..., Any], *arguments: str) -> None:
        quiet = not sys.stderr.isatty()  # a progress bar for the person
        answer = ask(doing, lambda: call(*arguments, quiet=quiet, dir_mode="zip"), once=True)
        if answer.error:
            raise refusal(doing, answer.error)

    def _submit(self, doing: Doing, call: Callable[[], Any]) -> int:
        answer = ask(doing, call, once=True)
        if not answer.ref:
            raise refusal(doing, answer.message or "no reference")
        return int(answer.ref)


def _log_in() -> Any:
    try:
        from kaggle.api.kaggle_api_extended import KaggleApi

        api = KaggleApi()
        api.authenticate()
    except (SystemExit, OSError, ImportError) as error:
        if isinstance(error, requests.RequestException):  # an OSError, too
            raise
        if isinstance(error, ImportError):
            got, remedy = f"{error}", "install requirements.txt"
        else:
            got, remedy = "no valid credentials", TOKEN
        raise KitError(f"expected to {LOGIN.what}, got: {got}; {remedy}") from None
    return api
