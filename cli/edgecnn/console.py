"""What a command prints: text and tables for people, one JSON document for programs, progress on stderr."""

import contextlib
import json as json_module
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import typer

# The options that every command has; a command declares `json: JsonOption = False`.
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors.")]

# Seconds between two plain progress lines where there is no terminal.
_LOG_INTERVAL = 10.0

# Called with the steps done so far and a short text such as "epoch 3/10 loss 0.123".
Advance = Callable[[int, str], None]


class Console:
    """Where a command prints. `json` turns everything off but `document`; `quiet` everything."""

    def __init__(self, *, json: bool = False, quiet: bool = False) -> None:
        self.json, self.quiet = json, quiet

    @property
    def talks(self) -> bool:
        """Whether a person reads the output."""
        return not (self.json or self.quiet)

    def say(self, text: str = "") -> None:
        """Print a line for a person, on stdout."""
        if self.talks:
            print(text, flush=True)

    def note(self, text: str) -> None:
        """Print a line for a person, on stderr: what happens beside the work."""
        if not self.quiet:
            print(text, file=sys.stderr, flush=True)

    def warn(self, text: str) -> None:
        """Print a warning, on stderr, whatever the mode."""
        print(f"warning: {text}", file=sys.stderr, flush=True)

    def document(self, content: Any) -> None:
        """Print the one JSON document of a command, if it was asked for."""
        if self.json:
            print(json_module.dumps(content, ensure_ascii=False, indent=2))

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table; columns of numbers are right-aligned, others left-aligned."""
        if not self.talks:
            return
        widths = [max(map(len, cells)) for cells in zip(columns, *rows, strict=True)]
        justify = [
            str.rjust if all(map(_is_number, cells[1:])) else str.ljust for cells in zip(columns, *rows, strict=True)
        ]
        for row in [columns, ["-" * width for width in widths], *rows]:
            cells = [place(cell, width) for cell, width, place in zip(row, widths, justify, strict=True)]
            print("  ".join(cells).rstrip(), flush=True)

    @contextlib.contextmanager
    def progress(self, label: str, total: int) -> Iterator[Advance]:
        """Show how many of `total` steps are done: a bar with an ETA on a terminal, lines in a log."""
        if not self.talks:
            yield _silent
        elif sys.stderr.isatty():
            with _bar(label, total) as advance:
                yield advance
        else:
            yield _log_lines(label, total)


def _is_number(cell: str) -> bool:
    """Whether a cell holds a number, perhaps with a unit behind it, or nothing."""
    return not cell or cell.lstrip("+-±")[:1].isdigit()


def _silent(done: int, text: str) -> None:
    """Show nothing."""
    del done, text


@contextlib.contextmanager
def _bar(label: str, total: int) -> Iterator[Advance]:
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=RichConsole(stderr=True)) as progress:
        task = progress.add_task(label, total=total, text="")
        yield lambda done, text: progress.update(task, completed=done, text=text)


def _log_lines(label: str, total: int) -> Advance:
    started = last = time.monotonic()

    def advance(done: int, text: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _LOG_INTERVAL and 0 < done < total:
            last = now
            left = (now - started) / done * (total - done)
            print(
                f"{label}: {done}/{total}, about {left:.0f} s left  {text}".rstrip(),
                file=sys.stderr,
                flush=True,
            )

    return advance
