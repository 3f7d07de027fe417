"""`edgecnn data`: prepare, check and show image sets, and list those that edgecnn knows by name."""

import typer

from edgecnn.commands.data.check import check
from edgecnn.commands.data.list_sets import list_sets
from edgecnn.commands.data.prepare import prepare
from edgecnn.commands.data.show import show

data = typer.Typer(
    help="Prepare, check, show and list image sets.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
data.command(name="prepare")(prepare)
data.command(name="list")(list_sets)
data.command(name="check")(check)
data.command(name="show")(show)
