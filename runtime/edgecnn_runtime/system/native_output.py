"""Keep what native libraries print away from the screen, unless they fail."""

import contextlib
import os
import sys
from collections.abc import Iterator

from edgecnn_runtime.system.nameless_file import nameless_file


@contextlib.contextmanager
def native_output_kept() -> Iterator[None]:
    """Catch stderr at its file descriptor while the block runs; show it if the block fails.

    TensorFlow and LiteRT write their log lines from C++, where neither `logging` nor `warnings` reaches them. The
    descriptor belongs to the whole process, so this is for command lines; the runtime itself never does it.
    """
    sys.stderr.flush()
    screen = os.dup(2)
    try:
        with nameless_file() as kept:
            os.dup2(kept.fileno(), 2)
            try:
                yield
            except BaseException:
                sys.stderr.flush()
                kept.seek(0)
                os.write(screen, kept.read())
                raise
            finally:
                sys.stderr.flush()
                os.dup2(screen, 2)
    finally:
        os.close(screen)
