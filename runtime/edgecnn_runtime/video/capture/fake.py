"""A camera without a camera, for tests of everything around one."""

import queue

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import SourceError
from edgecnn_runtime.video.capture.device import Picture


class FakeCamera:
    """Gives the pictures it is shown, is unplugged and plugged in again as it is told.

    >>> camera = FakeCamera()
    >>> camera.show(np.zeros((2, 2, 3), np.uint8))
    >>> camera.open().read().pixels.shape
    (2, 2, 3)
    """

    live = True
    damaged, ending = 0, None

    def __init__(self) -> None:
        self._pictures: queue.Queue[Picture | None] = queue.Queue()
        self._given = False
        self.plugged = True
        self.opened = self.closed = 0

    def open(self) -> "FakeCamera":
        """Open it, as the function that a capture is given.

        Raises:
            SourceError: it is unplugged.
        """
        self.opened += 1
        if not self.plugged:
            raise SourceError("fake camera: expected a camera, it is unplugged")
        return self

    def show(self, pixels: NDArray[np.uint8], *, position: float | None = None) -> None:
        """Give this picture next."""
        self._pictures.put(Picture(pixels, position))

    def unplug(self) -> None:
        """End the pictures, and refuse to be opened until `plug`."""
        self.plugged = False
        self._pictures.put(None)

    def plug(self) -> None:
        """Let it be opened again."""
        self.plugged = True

    def wait_until_read(self) -> None:
        """Return when everything shown so far was read and the reader came back for more."""
        self._pictures.join()

    def read(self) -> Picture | None:
        """Wait for the next picture; None: it was unplugged."""
        if self._given:
            self._pictures.task_done()
        picture = self._pictures.get()
        self._given = picture is not None
        if picture is None:
            self._pictures.task_done()
        return picture

    def skip(self) -> bool:
        """Pass over the next picture."""
        return self.read() is not None

    def close(self) -> None:
        """Count it."""
        self.closed += 1
