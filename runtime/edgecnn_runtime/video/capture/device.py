"""What a source is read through; each kind of device has its own file."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """What a device gives: uint8 pixels `(height, width, 3)` in RGB order, and their second in a file."""

    pixels: NDArray[np.uint8]
    position: float | None = None


class Device(Protocol):
    """An opened camera, file or stream. One thread opens, reads and closes it."""

    # Whether pictures come at the world's pace, so that those nobody takes are gone.
    live: bool

    def read(self) -> Picture | None:
        """Wait for the next picture; None: the camera is gone, or the file has ended."""

    def skip(self) -> bool:
        """Pass over the next picture as cheaply as possible; False: there is none."""

    def close(self) -> None:
        """Give the device back."""
