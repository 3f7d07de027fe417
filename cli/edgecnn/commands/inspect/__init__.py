"""`edgecnn inspect`: views of a model; a first word that names no view is the model for the default one."""

import typer

from edgecnn.commands.inspect.model import model
from edgecnn.commands.inspect.quantization import quantization
from edgecnn.options.default_command import DefaultGroup

inspect = typer.Typer(
    help="Show what is in a model file and on which targets it runs.",
    cls=DefaultGroup,
    rich_markup_mode=None,
)
inspect.command(name="model")(model)
inspect.command(name="quantization")(quantization)
