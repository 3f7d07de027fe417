"""`edgecnn inspect`: views of a model; the first word, where it names no view, is the model of the usual one."""

import typer

from edgecnn.commands.inspect.model import model
from edgecnn.commands.inspect.quantization import quantization
from edgecnn.options.default_command import UsualFirst

inspect = typer.Typer(
    help="Show what is in a model file, and on which targets it runs.",
    cls=UsualFirst,
    rich_markup_mode=None,
)
inspect.command(name="model")(model)
inspect.command(name="quantization")(quantization)
