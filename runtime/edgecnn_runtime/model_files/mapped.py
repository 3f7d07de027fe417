"""The bytes of a model file, mapped into memory: of many MB of weights only what is looked at is read."""

import contextlib
import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

Content: TypeAlias = bytes | mmap.mmap


@contextlib.contextmanager
def mapped(path: Path) -> Iterator[Content]:
    """Map a file while the block runs; nothing in it may outlive the block.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        # Nothing cannot be mapped.
        if not file.seek(0, 2):
            yield b""
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            yield content
