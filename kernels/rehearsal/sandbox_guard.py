"""Loaded by every Python of a rehearsal: notes who reaches for the network or writes to inputs.

It is copied into the fresh environment, without the rest of the kit, and reads its order beside
itself: the file to note in, whether to refuse the network, then the folders that nobody writes to.
Python tells of such attempts before it makes them (sys.addaudithook).
"""

import errno
import os
import sys

ORDER = "rehearsal_guard.txt"
FOLDER = os.path.dirname(os.path.abspath(__file__))
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = {  # event -> which of its arguments is changed
    "os.chmod": (0,),
    "os.link": (1,),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.symlink": (1,),
    "os.truncate": (0,),
    "os.utime": (0,),
    "shutil.rmtree": (0,),
}
REACHING = {  # event -> which of its arguments says whom
    "socket.connect": 1,
    "socket.sendto": 1,
    "socket.getaddrinfo": 0,
    "socket.gethostbyname": 0,
}
OWN_FILES = ("<", os.path.join(sys.base_prefix, "lib", "python"), __file__)


class Guard:
    """What one process is watched for."""

    def __init__(self, notes: str, refuse: bool, folders: list[str]) -> None:
        self.notes, self.refuse, self.folders = notes, refuse, folders

    def __call__(self, event: str, arguments: tuple) -> None:
        """Look at an audit event; what would write to inputs is refused."""
        if event == "open":
            path, _, flags = arguments
            if flags and flags & WRITING:
                self._write(path)
        elif event in CHANGES:
            for place in CHANGES[event]:
                self._write(arguments[place])
        elif event in REACHING:
            self._reach(event, arguments[REACHING[event]])

    def _write(self, path: object) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        full = os.path.abspath(os.fsdecode(path))
        if not any(full == folder or full.startswith(folder + os.sep) for folder in self.folders):
            return
        if "__pycache__" not in full:  # Python tries, and goes on without
            self._note("write", full)
        raise OSError(errno.EROFS, os.strerror(errno.EROFS), full)

    def _reach(self, event: str, whom: object) -> None:
        host = whom[0] if isinstance(whom, tuple) else whom if event != "socket.connect" else None
        host = host.decode() if isinstance(host, bytes) else host
        if not isinstance(host, str) or _is_local(host):
            return
        self._note("network", host)
        if self.refuse and event in ("socket.getaddrinfo", "socket.gethostbyname"):
            raise sys.modules["socket"].gaierror(-3, "Temporary failure in name resolution")
        if self.refuse:
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))

    def _note(self, kind: str, what: str) -> None:
        with open(self.notes, "a") as file:
            file.write(f"{kind}\t{what}\t{_caller()}\n")


def _is_local(host: str) -> bool:
    return host in ("", "localhost", "::1", "0.0.0.0", "::", os.uname().nodename) or (
        host.startswith("127.")
    )


def _caller() -> str:
    """Return file and line of the nearest frame that is not of the standard library."""
    frame = sys._getframe(1)
    while frame and frame.f_code.co_filename.startswith(OWN_FILES):
        frame = frame.f_back
    if frame is None:
        return "?"
    parts = frame.f_code.co_filename.split(os.sep)
    return f"{os.sep.join(parts[-2:])}:{frame.f_lineno}"


def watch() -> None:
    """Begin, where an order lies beside this file."""
    order = os.path.join(FOLDER, ORDER)
    if os.path.isfile(order):
        with open(order) as file:
            notes, refuse, *folders = file.read().splitlines()
        sys.addaudithook(Guard(notes, refuse == "refuse", folders))


watch()
