"""What a process does first that was forked from one with threads: of those it has none, and of their locks all."""

import os
from collections.abc import Callable


def in_forked_child(action: Callable[[], None]) -> None:
    """Call `action` at the start of every process that is forked from this one, where a system forks (not Windows)."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=action)
