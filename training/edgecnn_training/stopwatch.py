"""How long each part of a run took."""

import contextlib
import time
from collections.abc import Iterator


class Stopwatch:
    """Seconds by name, and since it was made."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._started = time.perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds since the stopwatch was made."""
        return time.perf_counter() - self._started

    @contextlib.contextmanager
    def timing(self, name: str) -> Iterator[None]:
        """Note how long a block takes."""
        started = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - started
