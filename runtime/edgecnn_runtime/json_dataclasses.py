"""Read JSON documents into frozen dataclasses, from files and processes that are not trusted.

`read_dataclass` reads what `dataclasses.asdict` and `json.dumps` wrote. Types are checked, never converted: a string is
no number, `true` is no 1, and a number is finite. Keys that a class does not have are ignored, because a later version
may write more; fields with a default may be missing, because an earlier version wrote less.

cattrs, dacite and msgspec do this and much more. Each would be the fourth package on a device, in place of these lines.
"""

import dataclasses
import enum
import functools
import json
import math
import sys
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

_T = TypeVar("_T")

_PLAIN: dict[Any, str] = {str: "a string", bool: "true or false", int: "an integer of 64 bits", float: "a number"}
# Characters of a value that are shown in a message.
_SHOWN = 60


def parse_object(text: str | bytes, *, name: str) -> dict[str, Any]:
    """Parse a JSON document that is an object.

    Args:
        text: the document, UTF-8 where it is bytes.
        name: the document in error messages, usually its path.

    Raises:
        ValueError: not JSON, nested too deeply, or not an object.

    >>> parse_object('{"height": 28}', name="run.json")
    {'height': 28}
    """
    try:
        document = json.loads(text)
    except RecursionError:
        raise ValueError(f"{name}: expected JSON of a few levels, got one that is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{name}: expected a JSON document, got none ({error})") from error
    if not isinstance(document, dict):
        raise _unexpected(name, "a JSON object", document)
    return document


def read_dataclass(kind: type[_T], document: object, *, name: str) -> _T:
    """Make a dataclass of a parsed JSON object.

    Fields may be strings, numbers, bools, enums, paths, tuples, mappings with keys that are strings, other dataclasses,
    any of them or None, and `Any`, which is taken as it is.

    Args:
        kind: the dataclass.
        document: what `parse_object` returned, or a part of it.
        name: the document in error messages.

    Raises:
        ValueError: a key is missing, or a value has another type or is one that the class refuses.

    >>> from edgecnn_runtime.accuracy import Accuracy
    >>> read_dataclass(Accuracy, {"correct": "97", "total": 100}, name="run.json: accuracy")
    Traceback (most recent call last):
    ValueError: run.json: accuracy: correct: expected an integer of 64 bits, got '97'
    """
    if not isinstance(document, Mapping):
        raise _unexpected(name, "an object", document)
    values = {}
    for key, (hint, required) in _fields(typing.cast("Any", kind)).items():
        if key in document:
            values[key] = _read(hint, document[key], f"{name}: {key}")
        elif required:
            raise ValueError(f"{name}: expected the key {key!r}, got none")
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


@functools.cache
def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Return the type of each field, and whether it has no default."""
    hints = typing.get_type_hints(kind)
    return {
        field.name: (hints[field.name], field.default is field.default_factory is dataclasses.MISSING)
        for field in dataclasses.fields(kind)
        if field.init
    }


def _read(kind: Any, value: Any, name: str) -> Any:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return value
    if origin in (types.UnionType, typing.Union):
        (only,) = (argument for argument in arguments if argument is not types.NoneType)
        return None if value is None else _read(only, value, name)
    if origin is tuple:
        return _read_tuple(arguments, value, name)
    if origin in (dict, Mapping):
        if not isinstance(value, dict):
            raise _unexpected(name, "an object", value)
        return {key: _read(arguments[1], item, f"{name}: {key:.{_SHOWN}}") for key, item in value.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return read_dataclass(kind, value, name=name)
    if isinstance(kind, enum.EnumType):
        choices: list[enum.Enum] = list(kind)
        if value not in choices:
            raise _unexpected(name, f"one of {', '.join(str(choice.value) for choice in choices)}", value)
        return kind(value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    if not _is_plain(kind, value):
        raise _unexpected(name, _PLAIN.get(kind, kind.__name__), value)
    return kind(value)


def _read_tuple(arguments: tuple[Any, ...], value: Any, name: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _unexpected(name, "a list", value)
    kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
    if len(kinds) != len(value):
        raise _unexpected(name, f"a list of {len(kinds)}", value)
    # A thousand labels or probabilities at once: a device reads a manifest at every start.
    types_of_items = set(map(type, value))
    if arguments == (str, ...) and types_of_items == {str}:
        return tuple(value)
    if arguments == (float, ...) and types_of_items == {float} and all(map(math.isfinite, value)):
        return tuple(value)
    return tuple(
        _read(kind, item, f"{name}: {place}") for place, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _is_plain(kind: Any, value: Any) -> bool:
    if kind is float:
        # NaN is not smaller than anything; a whole number may have a thousand digits.
        return type(value) in (int, float) and abs(value) <= sys.float_info.max
    return type(value) is kind and (kind is not int or -(1 << 63) <= value < 1 << 63)


def _unexpected(name: str, expected: str, value: object) -> ValueError:
    match value:
        case Mapping():
            got = "an object"
        case list() | tuple():
            got = f"a list of {len(value)}"
        case None | bool():
            got = json.dumps(value)
        case _:
            got = repr(value)
    return ValueError(f"{name}: expected {expected}, got {got if len(got) <= _SHOWN else got[:_SHOWN] + '…'}")
