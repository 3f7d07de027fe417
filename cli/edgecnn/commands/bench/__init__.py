"""`edgecnn bench`: measure models; the first word, where it names no command, is the run or model to measure."""

import typer

from edgecnn.commands.bench.measure import measure
from edgecnn.usual_command import UsualFirst

bench = typer.Typer(
    help="Measure model files side by side: latency, accuracy, cold start, memory and size; write report.html.",
    cls=UsualFirst,
    rich_markup_mode=None,
)
bench.command(name="measure")(measure)
