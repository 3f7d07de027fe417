"""`edgecnn bench`: measure models; where the first word is no command, it is the run or model to measure."""

import typer

from edgecnn.commands.bench.compare import compare
from edgecnn.commands.bench.measure import measure
from edgecnn.commands.bench.recommend import recommend
from edgecnn.options.default_command import DefaultGroup

bench = typer.Typer(
    help="Measure model files side by side, and write report.html.",
    cls=DefaultGroup,
    rich_markup_mode=None,
)
bench.command(
    name="measure",
    epilog="'edgecnn bench compare --help' and 'edgecnn bench recommend --help' explain what comes after measuring.",
)(measure)
bench.command(name="compare")(compare)
bench.command(name="recommend")(recommend)
