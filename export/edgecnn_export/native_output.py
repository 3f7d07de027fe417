"""Keep what native converters print away from the screen, unless they fail."""

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def native_output_kept() -> Iterator[None]:
    """Catch stderr at its file descriptor while the block runs; show it if the block fails.

    TensorFlow's converter writes its log lines from C++, where neither `logging` nor `warnings` reaches them.
    """
    sys.stderr.flush()
    screen = os.dup(2)
    try:
        with tempfile.TemporaryFile() as kept:
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
