"""Groups with a default command, which works without its name: `edgecnn bench RUN`, `edgecnn inspect FILE`."""

from pathlib import Path
from typing import Any

from typer.core import TyperGroup

from edgecnn_runtime.choices import did_you_mean


class DefaultGroup(TyperGroup):
    """Takes words that name none of its commands, options and `--help` too, as those of its first command."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the first command's name before words that name none; a path that does not exist may be a typo."""
        if not args or args[0] not in self.commands:
            if args and (near := did_you_mean(args[0], self.commands)) and not Path(args[0]).exists():
                ctx.fail(f"{args[0]}: not found, and no command{near}")
            args = [next(iter(self.commands)), *(args or ["--help"])]
        rest: list[str] = super().parse_args(ctx, args)
        return rest
