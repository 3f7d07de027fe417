"""How long each part of a run took."""

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self


class Stopwatch:
    """Seconds by name, and since it was started."""

    def __init__(self, *, running_for: float = 0.0) -> None:
        self.seconds: dict[str, float] = {}
        self._started = time.perf_counter() - running_for

    @classmethod
    def of_process(cls) -> Self:
        """Make one that was started with this process, so that it counts the interpreter and its imports too."""
        return cls(running_for=_process_age())

    @property
    def elapsed(self) -> float:
        """Seconds since the stopwatch was started."""
        return time.perf_counter() - self._started

    @contextlib.contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """Note how long a block takes; blocks of one name add up."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


def _process_age() -> float:
    """Return the seconds since this process began, to a hundredth; 0 where the system does not say as Linux does.

    Field 22 of `/proc/self/stat`: proc_pid_stat(5). The name in field 2 may hold blanks and brackets.
    """
    try:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    except OSError:
        return 0.0
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
