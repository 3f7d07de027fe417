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

from edgecnn_runtime.system.file_kinds import check_ends

_T = TypeVar("_T")

_PLAIN: dict[Any, str] = {str: "a string", bool: "true or false", int: "an integer of 64 bits", float: "a number"}
# Characters of a value that are shown in a message.
_SHOWN = 60
# Bytes of a document. The largest that edgecnn writes is a benchmark of a thousand classes: some ten megabytes.
_MOST_BYTES = 64 << 20
# Items of a list of lists or of objects, and keys of an object: each takes some microseconds to check.
_MOST_ITEMS = 100_000
# Where a value is, outermost first; put into words only where it is wrong.
_Place = str | tuple["_Place", str | int]


def read_object(path: Path, *, name: str | None = None) -> dict[str, Any]:
    """Read a file that holds a JSON document, an object.

    Args:
        path: the file.
        name: the document in error messages; default: the path.

    Raises:
        ValueError: as `parse_object`, or a file of more than 64 MiB.
        OSError: it cannot be read, or is a pipe, in which its end may never come.
    """
    name = str(path) if name is None else name
    check_ends(path)
    with path.open("rb") as file:
        content = file.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise ValueError(f"{name}: expected a JSON document of at most {_MOST_BYTES >> 20} MiB, got a larger file")
    return parse_object(content, name=name)


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
    return _read_dataclass(kind, document, name)


def _read_dataclass(kind: type[_T], document: object, place: _Place) -> _T:
    if not isinstance(document, Mapping):
        raise _unexpected(place, "an object", document)
    values = {}
    for key, (hint, required) in _fields(typing.cast("Any", kind)).items():
        if key in document:
            values[key] = _read(hint, document[key], (place, key))
        elif required:
            raise ValueError(f"{_in_words(place)}: expected the key {key!r}, got none")
    try:
        return kind(**values)
    except ValueError as error:
        raise ValueError(f"{_in_words(place)}: {error}") from error


@functools.cache
def _fields(kind: Any) -> dict[str, tuple[Any, bool]]:
    """Return the type of each field, and whether it has no default."""
    hints = typing.get_type_hints(kind)
    return {
        field.name: (hints[field.name], field.default is field.default_factory is dataclasses.MISSING)
        for field in dataclasses.fields(kind)
        if field.init
    }


def _read(kind: Any, value: Any, place: _Place) -> Any:
    if kind in _PLAIN:
        if not _is_plain(kind, value):
            raise _unexpected(place, _PLAIN[kind], value)
        return kind(value)
    if kind is Any:
        return value
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        (only,) = (argument for argument in arguments if argument is not types.NoneType)
        return None if value is None else _read(only, value, place)
    if origin is tuple:
        return _read_tuple(arguments, value, place)
    if origin in (dict, Mapping):
        if not isinstance(value, dict):
            raise _unexpected(place, "an object", value)
        if len(value) > _MOST_ITEMS:
            raise _unexpected(place, f"an object of at most {_MOST_ITEMS:,} keys", value)
        return {key: _read(arguments[1], item, (place, key)) for key, item in value.items()}
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, place)
    if isinstance(kind, enum.EnumType):
        choices: list[enum.Enum] = list(kind)
        if value not in choices:
            raise _unexpected(place, f"one of {', '.join(str(choice.value) for choice in choices)}", value)
        return kind(value)
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise _unexpected(place, kind.__name__, value)


def _read_tuple(arguments: tuple[Any, ...], value: Any, place: _Place) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise _unexpected(place, "a list", value)
    kinds = [arguments[0]] * len(value) if arguments[-1] is Ellipsis else arguments
    if len(kinds) != len(value):
        raise _unexpected(place, f"a list of {len(kinds)}", value)
    # A thousand labels or probabilities at once: a device reads a manifest at every start.
    types_of_items = set(map(type, value))
    if arguments == (str, ...) and types_of_items == {str}:
        return tuple(value)
    if arguments == (float, ...) and types_of_items == {float} and all(map(math.isfinite, value)):
        return tuple(value)
    if len(value) > _MOST_ITEMS and arguments[0] not in _PLAIN:
        raise _unexpected(place, f"a list of at most {_MOST_ITEMS:,}", value)
    return tuple(
        _read(kind, item, (place, number)) for number, (kind, item) in enumerate(zip(kinds, value, strict=True))
    )


def _is_plain(kind: Any, value: Any) -> bool:
    if kind is float:
        # NaN is not smaller than anything; a whole number may have a thousand digits.
        return type(value) in (int, float) and abs(value) <= sys.float_info.max
    return type(value) is kind and (kind is not int or -(1 << 63) <= value < 1 << 63)


def _in_words(place: _Place) -> str:
    if isinstance(place, str):
        return place
    outer, inner = place
    return f"{_in_words(outer)}: {inner!s:.{_SHOWN}}"


def _unexpected(place: _Place, expected: str, value: object) -> ValueError:
    match value:
        case Mapping():
            got = f"one of {len(value):,}" if len(value) > _MOST_ITEMS else "an object"
        case list() | tuple():
            got = f"a list of {len(value)}"
        case None | bool():
            got = json.dumps(value)
        case _:
            got = repr(value)
    return ValueError(
        f"{_in_words(place)}: expected {expected}, got {got if len(got) <= _SHOWN else got[:_SHOWN] + '…'}"
    )
