"""A file without a name, for what a subprocess or a native library writes: in memory, where the system has that.

A device whose root is read-only, or whose disk is full, has no folder for temporary files; nothing here needs one.
"""

import os
import tempfile
from typing import IO


def nameless_file() -> IO[bytes]:
    """Open a new file for writing and reading, which is gone once it is closed.

    Raises:
        OSError: on a system without files in memory (only Linux has them), no folder can be written.
    """
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("edgecnn"), "w+b")
    return tempfile.TemporaryFile()
