"""Runs alone, as `python -I -S sandbox_entry.py ORDER`: closes the doors, then runs the kernel.

It takes a network without a way out and a tree of files of its own, in which /kaggle lies as on
Kaggle and nothing but the working folder and /tmp can be written, and starts the kernel there as
its child. All is undone when it ends, since the namespaces end with it. `probe` instead of an order
prints which of the two this system allows. See unshare(2), mount(2), mount_setattr(2).
"""

import ctypes
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys

NEW_MOUNTS, NEW_USER, NEW_NETWORK = 0x20000, 0x10000000, 0x40000000
BIND, RECURSIVE, PRIVATE, REMOUNT, NO_WRITING = 4096, 16384, 1 << 18, 32, 1
MOUNT_SETATTR, READ_ONLY, WHOLE_TREE = 442, 1, 0x8000
DIE_WITH_PARENT, ADOPT_ORPHANS = 1, 36
GET_FLAGS, SET_FLAGS, UP = 0x8913, 0x8914, 1
WRITABLE = ("dev", "proc", "sys", "tmp")  # top-level folders that stay as they are
EMPTY = ("kaggle",)  # that the kernel gets new
NOT_MADE = 97  # exit code


def main(order_file: str) -> int:
    """Follow the order; the kernel's exit code and what the network saw go to its report."""
    if order_file == "probe":
        print(json.dumps(probe()))
        return 0
    with open(order_file) as file:
        order = json.load(file)
    _call("prctl", ADOPT_ORPHANS, 1, 0, 0, 0)
    _call("prctl", DIE_WITH_PARENT, signal.SIGTERM, 0, 0, 0)
    signal.signal(signal.SIGTERM, lambda *_: (_end_children(), os._exit(143)))
    try:
        _close_doors(order)
    except OSError as error:
        print(f"no sandbox: {error}", file=sys.stderr)
        return NOT_MADE
    child = subprocess.Popen(order["command"], cwd=order["cwd"], env=order["environment"])
    code = child.wait()
    _end_children()  # a session ends with the notebook
    with open(order["report"], "w") as file:
        json.dump({"code": code, "unrouted": _unrouted() if order["network"] else 0}, file)
    return 0


def probe() -> dict[str, bool]:
    """Try in children: an own network, an own tree of files with a file system mounted in it."""
    return {"network": _works(False), "mounts": _works(True)}


def _works(mounts: bool) -> bool:
    child = os.fork()
    if child == 0:
        try:
            _unshare(NEW_MOUNTS if mounts else NEW_NETWORK)
            if mounts:
                _call("mount", None, b"/", None, RECURSIVE | PRIVATE, None)
                _call("mount", b"none", b"/tmp", b"tmpfs", 0, b"size=1m")
                _make_read_only("/tmp")
        except (OSError, AttributeError):
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def _close_doors(order: dict) -> None:
    flags = (NEW_NETWORK if order["network"] else 0) | (NEW_MOUNTS if order["mounts"] else 0)
    if flags:
        _unshare(flags)
    if order["network"]:
        _loopback_up()  # as on Kaggle: processes may talk to one another
    if order["mounts"]:
        _new_root(order["root"], order["binds"])
        os.chroot(order["root"])


def _unshare(flags: int) -> None:
    """Take namespaces as root, or as root of a user namespace of one's own."""
    user, group = os.geteuid(), os.getegid()
    try:
        _call("unshare", flags)
    except OSError:
        _call("unshare", flags | NEW_USER)
        for name, text in (("setgroups", "deny"), ("uid_map", user), ("gid_map", group)):
            with open(f"/proc/self/{name}", "w") as file:
                file.write(text if text == "deny" else f"0 {text} 1")


def _new_root(root: str, binds: list[tuple[str, str, bool]]) -> None:
    """Make a root of this system's folders, read-only, and the binds (from, to, read-only)."""
    _call("mount", None, b"/", None, RECURSIVE | PRIVATE, None)
    _call("mount", b"none", root.encode(), b"tmpfs", 0, b"mode=755")
    for entry in os.scandir("/"):
        place = os.path.join(root, entry.name)
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), place)
        elif entry.is_dir() and entry.name not in EMPTY:
            os.mkdir(place)
            _bind(entry.path, place)
            if entry.name not in WRITABLE:
                _make_read_only(place)
    for source, target, read_only in binds:
        place = root + target
        if not os.path.lexists(place):
            os.makedirs(place)
        _bind(source, place)
        if read_only:
            _make_read_only(place)


def _bind(source: str, place: str) -> None:
    _call("mount", source.encode(), place.encode(), None, BIND | RECURSIVE, None)


def _make_read_only(place: str) -> None:
    attributes = struct.pack("QQQQ", READ_ONLY, 0, 0, 0)
    try:
        _call("syscall", MOUNT_SETATTR, -100, place.encode(), WHOLE_TREE, attributes, 32)
    except OSError:  # Linux before 5.12: without what is mounted further in
        _call("mount", None, place.encode(), None, BIND | REMOUNT | NO_WRITING, None)


def _loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, GET_FLAGS, request))[1]
        fcntl.ioctl(any_socket, SET_FLAGS, struct.pack("16sh14x", b"lo", flags | UP))


def _unrouted() -> int:
    """Return how often anything in this network wanted to send where no way leads."""
    with open("/proc/self/net/snmp") as file:
        names, values = (line.split() for line in file if line.startswith("Ip:"))
    return int(values[names.index("OutNoRoutes")])


def _end_children() -> None:
    """Kill what the kernel left; orphans come here, so that one round after another finds them."""
    while children := _children():
        for child in children:
            os.kill(child, signal.SIGKILL)
        for child in children:
            os.waitpid(child, 0)


def _children() -> list[int]:
    found = []
    for name in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else []):
        try:
            with open(f"/proc/{name}/stat") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == os.getpid():
            found.append(int(name))
    return found


def _call(function: str, *arguments: object) -> None:
    """Call the C library; OSError says why it refused. Where there is no prctl, it is left out."""
    library = ctypes.CDLL(None, use_errno=True)
    if function == "prctl" and not hasattr(library, "prctl"):
        return
    if getattr(library, function)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{function}: {os.strerror(number)}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
