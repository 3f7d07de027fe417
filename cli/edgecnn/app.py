"""The command `edgecnn`: its sub-commands, and what becomes of an error."""

import contextlib
import errno
import os
import signal
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import TYPE_CHECKING, Annotated

from edgecnn.console import Console, escape_what_cannot_be_shown
from edgecnn_runtime.errors import EdgecnnError
from edgecnn_runtime.version import __version__

# Typer is imported where it is used: `main` hears the signals before anything that takes time is loaded.
if TYPE_CHECKING:
    import typer

# In the order in which they are used; the help lists groups last. Each is a module of `commands/`, which holds a
# function or a group of that name.
COMMANDS = (
    "quickstart",
    "data",
    "recipes",
    "train",
    "search",
    "evaluate",
    "explain",
    "export",
    "inspect",
    "verify",
    "predict",
    "stream",
    "serve",
    "bench",
    "doctor",
)


# Those that run until they are told to end.
_SERVICES = frozenset({"stream", "serve"})
# Those whose start need not be quick, and that write temporary files or let others do so.
_ON_WORKSTATIONS = frozenset(
    {"quickstart", "data", "train", "search", "evaluate", "explain", "export", "inspect", "bench", "doctor"}
)


def command_line(*names: str) -> "typer.Typer":
    """Make the command line of these commands, or of all where none is named; only their modules are loaded."""
    import typer

    def print_version(wanted: bool) -> None:
        if wanted:
            print(f"edgecnn {__version__}")
            raise typer.Exit

    def options(
        debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
        version: Annotated[
            bool, typer.Option("--version", help="Print the version.", callback=print_version, is_eager=True)
        ] = False,
    ) -> None:
        """Take the options that stand before a command."""
        del version
        if debug:
            os.environ["EDGECNN_DEBUG"] = "1"

    app = typer.Typer(
        name="edgecnn",
        help="Train small image classifiers, export them to int8 TFLite and ONNX, run and measure them.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback()(options)
    for name in names or COMMANDS:
        command = getattr(import_module(f"edgecnn.commands.{name}"), name)
        if isinstance(command, typer.Typer):
            app.add_typer(command, name=name)
        else:
            app.command(name=name)(command)
    return app


def main() -> None:
    """Run the command line: exit 0 done, 1 the work or a gate failed, 2 wrong usage or unusable input."""
    escape_what_cannot_be_shown()
    words = [word for word in sys.argv[1:] if word != "--debug"]
    _hear_sigterm(words[:1])
    gathered = _temporary_files_gathered() if _ON_WORKSTATIONS.intersection(words[:1]) else contextlib.nullcontext()
    try:
        with gathered:
            # Only the command that is asked for, where that is plain; the help and the answer to a slip show all.
            command_line(*words[:1] if words and words[0] in COMMANDS else ())()
    except (EdgecnnError, OSError) as error:
        if os.environ.get("EDGECNN_DEBUG"):
            raise
        Console().fail(f"{error}{_hint(error)}")
        for line in getattr(error, "lines", ()):  # of a `PixelQuestionError`
            Console().note(line)
        sys.exit(error.exit_code if isinstance(error, EdgecnnError) else 1)
    except MemoryError as error:
        if os.environ.get("EDGECNN_DEBUG"):
            raise
        print(f"error: out of memory; give the process more, or less to do at once{_said(error)}", file=sys.stderr)
        sys.exit(1)


def _said(error: MemoryError) -> str:
    return f" ({error})" if str(error) else ""


@contextlib.contextmanager
def _temporary_files_gathered() -> Iterator[None]:
    """Let all temporary files of this process, and of those it starts, go into one folder while the block runs.

    TensorFlow alone writes dozens, and where it is killed it leaves them.
    """
    import tempfile

    from edgecnn_runtime.system.scratch import scratch_folder

    before, variable = tempfile.tempdir, os.environ.get("TMPDIR")
    with contextlib.ExitStack() as stack:
        # Where no folder can be written to, what needs one says so.
        with contextlib.suppress(OSError):
            tempfile.tempdir = os.environ["TMPDIR"] = str(stack.enter_context(scratch_folder()))
        try:
            yield
        finally:
            tempfile.tempdir = before
            if variable is not None:
                os.environ["TMPDIR"] = variable
            else:
                os.environ.pop("TMPDIR", None)


def _hear_sigterm(command: list[str]) -> None:
    """Let SIGTERM end a service while it starts, and any command that is the first process of a container.

    The kernel gives the first process no signal that it has no handler for. A service is left as at its end, with exit
    code 0; what the handler raises might be caught by what is being loaded. Other commands end as with Ctrl-C.
    """
    if _SERVICES.intersection(command):
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    elif os.getpid() == 1:
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def _hint(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "; free some space and run the command again: what was finished before is whole"
    return ""
