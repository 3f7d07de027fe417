"""What a command prints: text and tables for people, one JSON document for programs, progress on stderr.

Labels and names come from files of others. Whatever is printed here is shown as it is, one line a line: it cannot move
the cursor, and what the encoding of the screen or pipe lacks is escaped.
"""

import contextlib
import io
import sys
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any

import typer

from edgecnn_runtime.system.screen_text import screen_json, screen_text

# The options that every command has; a command declares `json: JsonOption = False`.
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Print only errors.")]

# Seconds between two plain progress lines where there is no terminal.
_LOG_INTERVAL = 10.0

# Columns of a paragraph.
_WIDTH = 110

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

    def say(self, *lines: str) -> None:
        """Print lines for a person, on stdout; an empty one where there are none."""
        if self.talks:
            print("\n".join(map(screen_text, lines)), flush=True)

    def paragraph(self, text: str) -> None:
        """Print text for a person, on stdout, in lines of at most 110 columns."""
        self.say(*textwrap.wrap(text, _WIDTH))

    def note(self, text: str) -> None:
        """Print a line for a person, on stderr: what happens beside the work."""
        if not self.quiet:
            _print_error(text)

    def warn(self, text: str) -> None:
        """Print a warning, on stderr, whatever the mode."""
        _print_error(f"warning: {text}")

    def fail(self, text: str) -> None:
        """Print an error, on stderr, whatever the mode."""
        _print_error(f"error: {text}")

    def document(self, content: Any) -> None:
        """Print the one JSON document of a command, if it was asked for."""
        if self.json:
            _print_json(content, indent=2)

    def json_line(self, content: Any) -> None:
        """Print one of the JSON documents of a command that gives one per line, if they were asked for."""
        if self.json:
            _print_json(content)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table; columns of numbers are right-aligned, others left-aligned."""
        if not self.talks:
            return
        rows = [[screen_text(cell) for cell in row] for row in rows]
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


def escape_what_cannot_be_shown() -> None:
    r"""Let stdout and stderr show as `\u4e00` what their encoding lacks, in place of an error that ends the work."""
    for stream in (sys.stdout, sys.stderr):
        # Of a program without a console, there is none.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _print_error(line: str) -> None:
    print(screen_text(line), file=sys.stderr, flush=True)


def _print_json(content: Any, *, indent: int | None = None) -> None:
    print(screen_json(content, encoding=sys.stdout.encoding or "utf-8", indent=indent), flush=True)


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
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}", markup=False),
    )
    with Progress(*columns, console=RichConsole(stderr=True)) as progress:
        task = progress.add_task(label, total=total, text="")
        yield lambda done, text: progress.update(task, completed=done, text=screen_text(text))


def _log_lines(label: str, total: int) -> Advance:
    started = last = time.monotonic()

    def advance(done: int, text: str) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last >= _LOG_INTERVAL and 0 < done < total:
            last = now
            left = (now - started) / done * (total - done)
            _print_error(f"{label}: {done}/{total}, about {left:.0f} s left  {text}".rstrip())

    return advance
