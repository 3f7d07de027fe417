"""Options that several commands have, or that belong together: a dataclass whose fields are options."""

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

import typer


def option(metavar: str | None, text: str, *names: str) -> Any:
    """Describe an option by its placeholder in the help (None: that of its type), its help and, if need be, names."""
    return typer.Option(*names, metavar=metavar, help=text)


def takes_options(command: Callable[..., None], group: type, name: str) -> Callable[..., None]:
    """Give a command an option for each field of a dataclass, in place of its parameter `name`, which takes the group.

    Args:
        command: a function that Typer runs; its last two parameters are `json` and `quiet`, and stay the last.
        group: a dataclass whose fields are annotated as Typer's options.
        name: of the parameter.
    """
    hints = get_type_hints(group, include_extras=True)
    options = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=field.default if field.default is not dataclasses.MISSING else [],
            annotation=hints[field.name],
        )
        for field in dataclasses.fields(group)
    ]
    signature = inspect.signature(command)
    own = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in signature.parameters.values()
        if parameter.name != name
    ]

    @functools.wraps(command)
    def with_group(**values: Any) -> None:
        given = {parameter.name: values.pop(parameter.name, parameter.default) for parameter in options}
        command(**values, **{name: group(**given)})

    # The last two are --json and --quiet.
    parameters = [*own[:-2], *options, *own[-2:]]
    with_group.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    with_group.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters} | {"return": None}
    del with_group.__wrapped__
    return with_group
