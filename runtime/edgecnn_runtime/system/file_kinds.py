"""What is behind a path besides files and folders, where reading may never end."""

import os
import stat
from pathlib import Path

_KINDS = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
# Where a shell hands a program its input: `edgecnn predict MODEL <(curl …)`. Somebody writes into such a pipe already.
_HANDED_OVER = ("/dev/", "/proc/self/fd/")


def endless_kind(path: str | os.PathLike[str]) -> str | None:
    """Name what a path leads to if a program that opens it may wait for ever: a pipe, a socket or a device.

    Returns:
        "a pipe" and so on; None for a file, a folder, nothing at all, and a pipe that a shell hands over.

    >>> endless_kind(os.devnull), endless_kind(os.curdir)
    ('a device', None)
    """
    try:
        kind = stat.S_IFMT(os.stat(path).st_mode)  # noqa: PTH116, a path costs more than the question
    except (OSError, ValueError):
        return None  # what is wrong with it is told where it is opened
    if kind == stat.S_IFIFO and os.fspath(path).startswith(_HANDED_OVER):
        return None
    return _KINDS.get(kind)


def check_ends(path: Path) -> None:
    """Check that a path leads to no pipe, socket or device, before a library opens it.

    Raises:
        OSError: it does; as of any other file that cannot be read.
    """
    if kind := endless_kind(path):
        raise OSError(f"{path} is {kind}, not a file")


def read_file(path: Path) -> bytes:
    """Read a file whole.

    Raises:
        OSError: missing, not readable, or a pipe, a socket or a device.
    """
    check_ends(path)
    return path.read_bytes()
