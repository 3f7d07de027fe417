"""Waiting for what a thread or a process will do."""

import time
from collections.abc import Callable

# Seconds: what is waited for comes within one, and under an emulator within some.
PATIENCE = 60


def wait_until(happened: Callable[[], object], what: str) -> None:
    """Return as soon as something has happened; fail where it does not, with what was waited for."""
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline, f"expected {what} within {PATIENCE} s"
        time.sleep(0.005)
