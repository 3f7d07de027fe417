"""Read the fields of a protobuf message without its schema.

The format: https://protobuf.dev/programming-guides/encoding/. Fields are known by their number in the schema.
"""

from collections.abc import Iterator
from dataclasses import dataclass

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_FIXED = {_FIXED64: 8, _FIXED32: 4}
# Of one message: two bytes may be one, and each takes a microsecond.
_MOST_FIELDS = 1_000_000


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its number, where it begins, where its content begins and ends, and its value if it is a varint."""

    number: int
    begin: int
    start: int
    end: int
    value: int


def fields(content: bytes, start: int = 0, end: int | None = None) -> Iterator[Field]:
    """Yield the fields of the message in `content[start:end]`; those of nested messages are not entered.

    Raises:
        ValueError: no protobuf message, or one of more than a million fields.

    >>> [(field.number, field.value) for field in fields(bytes([8, 150, 1]))]
    [(1, 150)]
    """
    position = start
    end = len(content) if end is None else end
    count = 0
    while position < end:
        count += 1
        if count > _MOST_FIELDS:
            raise ValueError(f"more than {_MOST_FIELDS:,} fields")
        begin = position
        tag, position = varint(content, position, end)
        number, kind = tag >> 3, tag & 7
        value = 0
        if kind == _VARINT:
            first = position
            value, position = varint(content, position, end)
            yield Field(number, begin, first, position, value)
            continue
        if kind == _BYTES:
            size, position = varint(content, position, end)
        elif kind in _FIXED:
            size = _FIXED[kind]
        else:
            raise ValueError(f"field {number} of the unknown kind {kind}")
        if number == 0 or position + size > end:
            raise ValueError(f"field {number} of {size} bytes ends behind its message")
        yield Field(number, begin, position, position + size, value)
        position += size


def varint(content: bytes, position: int, end: int) -> tuple[int, int]:
    """Read a number of up to 64 bits; return it and where it ends.

    Raises:
        ValueError: it does not end.
    """
    value = 0
    for shift in range(0, 70, 7):
        if position >= end:
            raise ValueError("a number that ends behind the file")
        byte = content[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
    raise ValueError("a number of more than 10 bytes")
