"""Arrays of bytes and numbers in an `.npz` file, read without trusting what its headers claim.

`numpy.load` allocates what a header asks for before it looks at the content; here the claim is checked first.
"""

import math
import zipfile
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError
from edgecnn_training.data.readers.untrusted import damage_as_data_error, read_exactly, refuse_rest


class NpzReader:
    """An open `.npz` file."""

    def __init__(self, file: BinaryIO, *, name: str) -> None:
        self._name = name
        with damage_as_data_error(name):
            self._archive = zipfile.ZipFile(file)

    def __enter__(self) -> "NpzReader":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def describe(self, key: str) -> str:
        """Name one array, for messages."""
        return f"{self._name} {key}"

    def read(self, key: str, *, item_shape: tuple[int, ...]) -> NDArray[Any]:
        """Read one array: images (items with a shape) must be uint8, labels (items without) any integers.

        Returns:
            `(N, *item_shape)`.

        Raises:
            DataError: missing, damaged, or of another shape or type.
        """
        name = self.describe(key)
        if f"{key}.npy" not in self._archive.namelist():
            held = ", ".join(member.removesuffix(".npy") for member in self._archive.namelist()[:8])
            raise DataError(f"{self._name}: expected an array {key}, got only {held or 'an empty archive'}")
        with damage_as_data_error(name), self._archive.open(f"{key}.npy") as file:
            shape, dtype = _read_header(file, name=name)
            if not shape or shape[0] < 0 or shape[1:] != item_shape:
                expected = ", ".join(["N", *map(str, item_shape)])
                raise DataError(f"{name}: expected shape ({expected}), got {shape}")
            if dtype != np.uint8 if item_shape else dtype.kind not in "iu":
                raise DataError(f"{name}: expected {'uint8 pixels' if item_shape else 'integers'}, got {dtype}")
            content = read_exactly(file, math.prod(shape) * dtype.itemsize, name=name)
            refuse_rest(file, name=name)
        return np.frombuffer(content, dtype).reshape(shape)


def _read_header(file: Any, *, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = npy_format.read_magic(file)
    read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
    shape, fortran_order, dtype = read(file)
    if fortran_order:
        raise DataError(f"{name}: expected an array in C order, got one in Fortran order; save it again")
    return shape, dtype
