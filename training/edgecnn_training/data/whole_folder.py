"""Folders that appear complete or not at all: written beside, then renamed."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from edgecnn_runtime.system.atomic_files import is_running, sync_folder


@contextlib.contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `folder`; give it its name when the block ends without an error.

    What stood under the name is removed only after that. The files within are the caller's to write whole
    (`whole_files`). An error removes the temporary folder; what a killed process left behind goes when the same
    folder is written next.

    Raises:
        OSError: the folder cannot be written or the disk is full; `folder` is then as it was before.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_orphans(folder)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
    replaced = folder.with_name(f".{folder.name}.{os.getpid()}.replaced")
    try:
        partial.mkdir()
        yield partial
        sync_folder(partial)
        if folder.exists():
            folder.rename(replaced)
        try:
            partial.rename(folder)
        except OSError:
            if replaced.exists():
                replaced.rename(folder)
            raise
        sync_folder(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(replaced, ignore_errors=True)


def _remove_orphans(folder: Path) -> None:
    """Remove what processes that no longer run left; restore what one had set aside and not yet replaced."""
    for orphan in folder.parent.glob(f".{folder.name}.*"):
        pid, _, kind = orphan.name.removeprefix(f".{folder.name}.").partition(".")
        if not pid.isdigit() or is_running(int(pid)):
            continue
        if kind == "replaced" and not folder.exists():
            orphan.rename(folder)
        elif kind in ("partial", "replaced"):
            shutil.rmtree(orphan)
