"""The command `edgecnn`: its sub-commands, and what becomes of an error."""

import errno
import os
import sys
from importlib import import_module
from typing import Annotated

import typer

from edgecnn.console import Console, escape_what_cannot_be_shown
from edgecnn_runtime.errors import EdgecnnError
from edgecnn_runtime.version import __version__

# In the order in which they are used; the help lists groups last. Each is a module of `commands/`, which holds a
# function or a group of that name.
COMMANDS = (
    "quickstart",
    "data",
    "recipes",
    "train",
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


def command_line(*names: str) -> typer.Typer:
    """Make the command line of these commands, or of all where none is named; only their modules are loaded."""
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


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"edgecnn {__version__}")
        raise typer.Exit


def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Take the options that stand before a command."""
    del version
    if debug:
        os.environ["EDGECNN_DEBUG"] = "1"


def main() -> None:
    """Run the command line: exit 0 done, 1 the work or a gate failed, 2 wrong usage or unusable input."""
    escape_what_cannot_be_shown()
    words = [word for word in sys.argv[1:] if word != "--debug"]
    try:
        # Only the command that is asked for, where that is plain; the help and the answer to a slip show all.
        command_line(*words[:1] if words and words[0] in COMMANDS else ())()
    except (EdgecnnError, OSError) as error:
        if os.environ.get("EDGECNN_DEBUG"):
            raise
        Console().fail(f"{error}{_hint(error)}")
        sys.exit(error.exit_code if isinstance(error, EdgecnnError) else 1)


def _hint(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "; free some space and run the command again: what was finished before is whole"
    return ""
