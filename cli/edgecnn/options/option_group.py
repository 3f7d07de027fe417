"""Options that several commands have, or that belong together: a dataclass whose fields are options."""

import dataclasses
import functools
import inspect
import itertools
from collections.abc import Callable
from typing import Any, get_type_hints

import typer


def option(metavar: str | None, text: str, *names: str) -> Any:
    """Describe an option by its placeholder in the help (None: that of its type), its help and, if need be, names."""
    return typer.Option(*names, metavar=metavar, help=text)


def output_option(metavar: str | None, text: str) -> Any:
    """Describe the option `--output`, or `-o`, that every command has which writes files where the user says."""
    return option(metavar, text, "--output", "-o")


def takes_options(**groups: type) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command an option for each field of dataclasses, in place of the parameters that take these.

    The command's last two parameters are `json` and `quiet`, and stay the last.

    Args:
        groups: by the name of the parameter, a dataclass whose fields are annotated as Typer's options.
    """
    options = {name: _parameters(group) for name, group in groups.items()}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        signature = inspect.signature(command)
        own = [
            parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
            for parameter in signature.parameters.values()
            if parameter.name not in groups
        ]

        @functools.wraps(command)
        def with_groups(**values: Any) -> None:
            for name, group in groups.items():
                given = {option.name: values.pop(option.name, option.default) for option in options[name]}
                values[name] = group(**given)
            command(**values)

        parameters = [*own[:-2], *itertools.chain(*options.values()), *own[-2:]]
        with_groups.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        with_groups.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
        del with_groups.__wrapped__
        return with_groups

    return decorate


def _parameters(group: type) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    return [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default if field.default is not dataclasses.MISSING else [],
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(group)
    ]
