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
        """Note how long a block takes; blocks of one name add up."""
        started = time.perf_counter()
        yield
        self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started
