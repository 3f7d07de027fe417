"""IDX, the format of the original MNIST files (http://yann.lecun.com/exdb/mnist, "the IDX file format").

Two zero bytes, one for the type (0x08 is uint8), one for the number of dimensions; each dimension as a big-endian
uint32; then the values, the last dimension changing fastest.
"""

import math
import struct
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import DataError
from edgecnn_training.data.readers.untrusted import read_exactly, refuse_rest

_UINT8 = 0x08


def read_idx(file: BinaryIO, *, name: str, item_shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """Read an IDX file of bytes, which may come from anywhere.

    Args:
        file: at its start, already decompressed.
        name: of the file, for messages.
        item_shape: of one item: `(height, width)` of an image, `()` of a label.

    Returns:
        uint8 `(N, *item_shape)`.

    Raises:
        DataError: another magic number or item shape, or fewer or more bytes than the header says.
    """
    dimensions = 1 + len(item_shape)
    magic = int.from_bytes(read_exactly(file, 4, name=name))
    expected = _UINT8 << 8 | dimensions
    if magic != expected:
        raise DataError(f"{name}: expected IDX magic number {expected} (uint8, {dimensions} dimensions), got {magic}")
    count, *shape = struct.unpack(f">{dimensions}I", read_exactly(file, 4 * dimensions, name=name))
    if tuple(shape) != item_shape:
        raise DataError(f"{name}: expected items of {_size(item_shape)}, got {_size(tuple(shape))}")
    content = read_exactly(file, count * math.prod(item_shape), name=name)
    refuse_rest(file, name=name)
    return np.frombuffer(content, np.uint8).reshape(count, *item_shape)


def _size(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))
