"""The progress of work on many images."""

import contextlib
from collections.abc import Callable, Iterator

from edgecnn.console import Advance, Console


@contextlib.contextmanager
def shown_images(console: Console, label: str) -> Iterator[Callable[[int, int, str], None]]:
    """Show work on images: a bar or lines with the images done, from the first report to that of the last image."""
    with contextlib.ExitStack() as stack:
        advance: Advance | None = None

        def show(done: int, total: int, split: str) -> None:
            nonlocal advance
            if advance is None:
                advance = stack.enter_context(console.progress(label, total))
            advance(done, split)
            if done == total:
                stack.close()

        yield show


def shown_preparing(console: Console, name: str) -> contextlib.AbstractContextManager[Callable[[int, int, str], None]]:
    """Show the preparation of a set."""
    return shown_images(console, f"preparing {name}")
