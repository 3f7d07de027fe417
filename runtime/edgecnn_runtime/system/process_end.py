"""How a process ended, in words."""

import signal
from typing import IO


def describe_end(code: int, stderr: IO[bytes]) -> str:
    """Say how a process ended, with the last line it wrote to a file as its stderr."""
    stderr.seek(0)
    last_words = stderr.read().decode(errors="replace").strip().splitlines()[-1:]
    return ": ".join([ending(code), *last_words])


def ending(code: int) -> str:
    """Say how a process ended.

    >>> ending(-11)
    'the process crashed with SIGSEGV'
    """
    if code >= 0:
        return f"the process ended with exit code {code}"
    name = signal.Signals(-code).name
    # The kernel's answer to a machine without memory; nobody else sends this one.
    return f"the process crashed with {name}" + (", probably out of memory" if name == "SIGKILL" else "")
