"""What the thread says that tells a sweep's database that a trial lives."""

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError


def database_error(error: BaseException | None) -> BaseException | None:
    """Return what the database said, which Optuna raises as it is, wrapped, or by a slip."""
    while error is not None and not isinstance(error, SQLAlchemyError):
        error = error.__cause__ or error.__context__
    return error


@contextmanager
def heartbeat_in_a_line() -> Iterator[None]:
    """Within, a thread that ends for want of the database is a line, not a page of Optuna's."""
    usual = threading.excepthook

    def told(thrown: threading.ExceptHookArgs) -> None:
        if database_error(thrown.exc_value) is None:
            usual(thrown)
            return
        print(
            "warning: the sweep's database does not answer; the trial goes on, and if it takes "
            "longer another worker may take it for dead",
            file=sys.stderr,
            flush=True,
        )

    threading.excepthook = told
    try:
        yield
    finally:
        threading.excepthook = usual
