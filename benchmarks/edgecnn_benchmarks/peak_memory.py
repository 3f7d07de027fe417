"""How much memory this process has held at most."""

import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory_bytes(status: Path = _STATUS) -> int | None:
    """Return the largest resident set of this process so far in bytes, or None where the system does not tell.

    On Linux `VmHWM`, which starts anew at exec. `ru_maxrss` does not: a child begins with what its parent held
    when it forked, so a small program started by a large one would be charged for the large one.
    """
    try:
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024  # the kernel's "kB" are KiB
    except OSError:
        pass
    if sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    return None
