"""A folder for the temporary files of a process, removed at its end, or by the next one where it was killed.

The owner holds a lock on a file in it, which the system takes back when the process ends in whatever way. So a folder
that nobody holds is left from a killed process; that holds between containers too, which share a folder and not the
numbers of their processes.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_PREFIX = "edgecnn-"
_MARK = ".in-use"


@contextlib.contextmanager
def scratch_folder(*, purpose: str = "", base: str | None = None) -> Iterator[Path]:
    """Make a folder for this process while the block runs; first remove those of this user that killed ones left.

    Args:
        purpose: a word for its name.
        base: where to make it; None: where temporary files go.

    Raises:
        OSError: there is no place for one.
    """
    parent = Path(base or tempfile.gettempdir())
    _remove_left(parent)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{purpose}", dir=parent))
        mark = os.open(folder / _MARK, os.O_RDWR | os.O_CREAT, 0o600)
        # Another process may take it for one that was left, in the moment before it is held.
        if _hold(mark) and (folder / _MARK).exists():
            break
        os.close(mark)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(mark)


def _remove_left(parent: Path) -> None:
    if os.name != "posix":
        return
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            # Only folders with a mark, and only those of this user: anybody can make one of this name in /tmp.
            if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
                continue
            mark = os.open(folder / _MARK, os.O_RDWR | os.O_NOFOLLOW)
            try:
                if _hold(mark):
                    shutil.rmtree(folder, ignore_errors=True)
            finally:
                os.close(mark)


def _hold(mark: int) -> bool:
    """Lock an open file, unless another process holds it; where there are no such locks (Windows), it is ours."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
