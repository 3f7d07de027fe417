"""The command `edgecnn`: its sub-commands, and what becomes of an error."""

import errno
import os
import sys
from typing import Annotated

import typer

from edgecnn.commands.bench import bench
from edgecnn.commands.data import data
from edgecnn.commands.doctor import doctor
from edgecnn.commands.evaluate import evaluate
from edgecnn.commands.explain import explain
from edgecnn.commands.export import export
from edgecnn.commands.inspect import inspect
from edgecnn.commands.predict import predict
from edgecnn.commands.quickstart import quickstart
from edgecnn.commands.recipes import recipes
from edgecnn.commands.serve import serve
from edgecnn.commands.stream import stream
from edgecnn.commands.train import train
from edgecnn.commands.verify import verify
from edgecnn_runtime.errors import EdgecnnError
from edgecnn_runtime.version import __version__

app = typer.Typer(
    name="edgecnn",
    help="Train small image classifiers, export them to int8 TFLite and ONNX, run and measure them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"edgecnn {__version__}")
        raise typer.Exit


@app.callback()
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


# In the order in which they are used.
app.command(name="quickstart")(quickstart)
app.add_typer(data, name="data")
app.command(name="recipes")(recipes)
app.command(name="train")(train)
app.command(name="evaluate")(evaluate)
app.command(name="explain")(explain)
app.command(name="export")(export)
app.add_typer(inspect, name="inspect")
app.command(name="verify")(verify)
app.command(name="predict")(predict)
app.command(name="stream")(stream)
app.command(name="serve")(serve)
app.command(name="bench")(bench)
app.command(name="doctor")(doctor)


def main() -> None:
    """Run the command line: exit 0 done, 1 the work or a gate failed, 2 wrong usage or unusable input."""
    try:
        app()
    except (EdgecnnError, OSError) as error:
        if os.environ.get("EDGECNN_DEBUG"):
            raise
        print(f"error: {error}{_hint(error)}", file=sys.stderr)
        sys.exit(error.exit_code if isinstance(error, EdgecnnError) else 1)


def _hint(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "; free some space and run the command again: what was finished before is whole"
    return ""
