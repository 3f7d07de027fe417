"""An `.npy` file of uint8 items, written one after the other, whose number is known only at the end."""

from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.lib import format as npy_format
from numpy.typing import NDArray


class NpyWriter:
    """Writes items of one shape to an `.npy` file; the header gets their number when the block ends.

    Written, not memory-mapped: the pages of a map count as the process's memory until the disk has them. numpy leaves
    room in the header for a first axis of any length, so that the header keeps its size.
    """

    def __init__(self, path: Path, item_shape: tuple[int, ...]) -> None:
        self._item_shape = item_shape
        self.count = 0
        self._file = path.open("wb")
        self._write_header()

    def __enter__(self) -> "NpyWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closed even where the disk is full.
        with self._file:
            if kind is None:
                self._file.seek(0)
                self._write_header()

    def append(self, item: NDArray[np.uint8]) -> None:
        """Write one item, uint8 of the item's shape."""
        if item.shape != self._item_shape or item.dtype != np.uint8:
            raise ValueError(f"item: expected uint8 {self._item_shape}, got {item.dtype} {item.shape}")
        self._file.write(np.ascontiguousarray(item).data)
        self.count += 1

    def _write_header(self) -> None:
        shape = (self.count, *self._item_shape)
        npy_format.write_array_header_1_0(
            self._file, {"descr": np.dtype(np.uint8).str, "fortran_order": False, "shape": shape}
        )
