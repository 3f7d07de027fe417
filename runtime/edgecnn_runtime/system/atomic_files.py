"""Files that appear complete or not at all: temporary file, fsync, rename."""

import contextlib
import errno
import glob
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# What the system answers where there is no space, for anybody or for this user.
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; give it its name when the block ends without an error.

    The temporary name ends in the whole final one, because Keras chooses its format by `.keras` and `.weights.h5`. An
    error removes the file; what a killed process left behind goes when the same file is written next. A device or a
    pipe, such as /dev/null, is written to: to put a file in its place would break it for every program.

    Raises:
        OSError: the folder cannot be written or the disk is full; `path` is then as it was before.
    """
    if path.is_char_device() or path.is_fifo():
        yield path
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_orphans(path)
    partial = path.with_name(f".partial.{os.getpid()}.{path.name}")
    try:
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        if error.errno not in FULL or error.filename not in (None, str(partial)):
            raise
        # Of a write the system does not say of which file; the temporary name says nothing to anybody.
        raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from error
    finally:
        partial.unlink(missing_ok=True)


def check_room(path: Path, size: int) -> None:
    """Make sure that a file of `size` bytes can be written, for a writer that does not survive a full disk.

    Args:
        path: of the file, which is left empty; it must not hold anything yet.
        size: in bytes.

    Raises:
        OSError: it cannot.
    """
    with path.open("wb") as file:
        # Not on macOS and Windows.
        if hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(file.fileno(), 0, size)
            except OSError as error:
                raise OSError(error.errno, os.strerror(error.errno or 0), str(path)) from error
        file.truncate(0)


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with atomic_write(path) as partial:
        partial.write_bytes(content)


def write_text(path: Path, content: str) -> None:
    """Write `content` to `path` as UTF-8, whole or not at all."""
    write_bytes(path, content.encode())


def write_json(path: Path, content: Any) -> None:
    """Write `content` to `path` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def _remove_orphans(path: Path) -> None:
    """Remove the temporary files of processes that no longer run."""
    for orphan in path.parent.glob(f".partial.*.{glob.escape(path.name)}"):
        pid = orphan.name.split(".")[2]
        if pid.isdigit() and not is_running(int(pid)):
            # Another user's stays where a folder is shared.
            with contextlib.suppress(OSError):
                orphan.unlink()


def is_running(pid: int) -> bool:
    """Tell whether a process runs; where that cannot be asked harmlessly (Windows), assume that it does."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def sync_folder(folder: Path) -> None:
    """Make the rename itself durable, where folders can be opened (not on Windows)."""
    if os.name == "posix":
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
