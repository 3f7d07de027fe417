"""`edgecnn inspect`: views of a model; the first word, where it names no view, is the model of the usual one."""

from typing import Any

import typer
from typer.core import TyperGroup

from edgecnn.commands.inspect.model import model
from edgecnn.commands.inspect.quantization import quantization

_USUAL = "model"


class _UsualView(TyperGroup):
    """Takes `inspect FILE` as `inspect model FILE`, and `inspect --help` as the help of that view."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or args[0] not in self.commands:
            args = [_USUAL, *(args or ["--help"])]
        rest: list[str] = super().parse_args(ctx, args)
        return rest


inspect = typer.Typer(
    help="Show what is in a model file, and on which targets it runs.",
    cls=_UsualView,
    rich_markup_mode=None,
)
inspect.command(name=_USUAL)(model)
inspect.command(name="quantization")(quantization)
