"""Read tables of a flatbuffer; an offset that leads out of it is an error, never a wrong value.

The format: https://flatbuffers.dev/internals/. Fields are known by their number in the schema.
"""

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

# Beyond these, a file is no model: the lists of a large one hold some thousand tables, and many may share one text.
_LONGEST_TEXT, _MOST_TABLES = 1 << 16, 1_000_000


class Table:
    """One table of a flatbuffer.

    Every method raises ValueError or struct.error where what it reads does not lie within the buffer.
    """

    __slots__ = ("_vtable", "_vtable_size", "content", "position")

    def __init__(self, content: bytes, position: int) -> None:
        self.content, self.position = content, position
        (offset,) = struct.unpack_from("<i", content, position)
        self._vtable = position - offset
        if self._vtable < 0:
            raise ValueError("a vtable before the file")
        (self._vtable_size,) = struct.unpack_from("<H", content, self._vtable)

    @classmethod
    def root(cls, content: bytes) -> "Table":
        """Return the table that a buffer begins with."""
        return cls(content, struct.unpack_from("<I", content)[0])

    def at(self, field: int) -> int | None:
        """Return where a field is; None where it is left out."""
        slot = 4 + 2 * field
        if slot + 2 > self._vtable_size:
            return None
        (offset,) = struct.unpack_from("<H", self.content, self._vtable + slot)
        return self.position + offset if offset else None

    def number(self, field: int, kind: str = "i", default: int = 0) -> int:
        """Read a number; `kind` as in the module struct."""
        position = self.at(field)
        return default if position is None else int(struct.unpack_from(f"<{kind}", self.content, position)[0])

    def table(self, field: int) -> "Table | None":
        """Return the table that a field points to."""
        position = self.at(field)
        return None if position is None else Table(self.content, self._follow(position))

    def vector(self, field: int, itemsize: int) -> tuple[int, int]:
        """Return where the items of a vector begin, and their number."""
        position = self.at(field)
        if position is None:
            return 0, 0
        start = self._follow(position)
        (count,) = struct.unpack_from("<I", self.content, start)
        if start + 4 + count * itemsize > len(self.content):
            raise ValueError(f"a list of {count} that ends behind the file")
        return start + 4, count

    def numbers(self, field: int, dtype: str) -> NDArray[np.int64] | NDArray[np.float32]:
        """Return the numbers of a vector; `dtype` as in numpy."""
        start, count = self.vector(field, np.dtype(dtype).itemsize)
        return np.frombuffer(self.content, np.dtype(dtype).newbyteorder("<"), count, start)

    def tables(self, field: int) -> "Iterator[Table]":
        """Yield the tables of a vector."""
        start, count = self.vector(field, 4)
        if count > _MOST_TABLES:
            raise ValueError(f"a list of {count:,} tables")
        for number in range(count):
            yield Table(self.content, self._follow(start + 4 * number))

    def text(self, field: int) -> str:
        """Return a string, empty where it is left out."""
        start, count = self.vector(field, 1)
        if count > _LONGEST_TEXT:
            raise ValueError(f"a name of {count:,} bytes")
        return bytes(self.content[start : start + count]).decode("utf-8", "replace")

    def _follow(self, position: int) -> int:
        target = position + int(struct.unpack_from("<I", self.content, position)[0])
        if target + 4 > len(self.content):
            raise ValueError("an offset that leads behind the file")
        return target
