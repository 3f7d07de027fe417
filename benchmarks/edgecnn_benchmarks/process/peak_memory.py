"""How much memory this process holds, and has held at most."""

import sys
from pathlib import Path

_STATUS = Path("/proc/self/status")


def peak_memory_bytes(status: Path = _STATUS) -> int | None:
    """Return the largest resident set of this process so far in bytes, or None where the system does not report it.

    On Linux `VmHWM`, which starts anew at exec. `ru_maxrss` does not: a child begins with what its parent held
    when it forked, so a small program started by a large one would be charged for the large one.
    """
    peak = _read(status, "VmHWM:")
    if peak is None and sys.platform == "darwin":
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # bytes on macOS
    return peak


def resident_memory_bytes(status: Path = _STATUS) -> int | None:
    """Return the resident set of this process now in bytes, or None where the system does not report it (not Linux)."""
    return _read(status, "VmRSS:")


def _read(status: Path, field: str) -> int | None:
    try:
        for line in status.read_text().splitlines():
            if line.startswith(field):
                return int(line.split()[1]) * 1024  # the kernel's "kB" are KiB
    except OSError:
        pass
    return None
