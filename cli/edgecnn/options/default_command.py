"""Groups of commands with a usual one, which works without its name: `edgecnn bench RUN`, `edgecnn inspect FILE`."""

from typing import Any

from typer.core import TyperGroup


class UsualFirst(TyperGroup):
    """Takes words that name none of its commands, options and `--help` too, as those of the first one."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the first command's name before words that name none."""
        if not args or args[0] not in self.commands:
            args = [next(iter(self.commands)), *(args or ["--help"])]
        rest: list[str] = super().parse_args(ctx, args)
        return rest
