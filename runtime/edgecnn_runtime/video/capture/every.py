"""A source that waits for its reader, such as a file: every frame in order, none dropped."""

import threading
import time

from edgecnn_runtime.video.capture.device import Device
from edgecnn_runtime.video.capture.frame import Event, Frame


class EveryFrame:
    """The frames of a file one by one, as a context manager; safe to share between threads."""

    live = False
    dropped = 0
    lost = frozen = False

    def __init__(self, device: Device, name: str) -> None:
        """Take over an opened device."""
        self.name = name
        self._device = device
        self._lock = threading.Lock()
        self._frame: Frame | None = None
        self._ended = False

    def newest(self, after: int = 0, *, timeout: float | None = None) -> Frame | None:
        """Read on to the first frame with a number above `after`; None when the file has ended."""
        del timeout  # a file does not keep its reader waiting
        with self._lock:
            if self._frame is not None and self._frame.number > after:
                return self._frame
            number = 0 if self._frame is None else self._frame.number
            while not self._ended and number < after:
                self._ended = not self._device.skip()
                number += 1
            picture = None if self._ended else self._device.read()
            if picture is None:
                self._ended = True
                return None
            self._frame = Frame(picture.pixels, number + 1, time.monotonic(), picture.position)
            return self._frame

    def take_events(self) -> list[Event]:
        """Return nothing: a file is neither unplugged nor frozen."""
        return []

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._ended = True
            self._device.close()

    def __enter__(self) -> "EveryFrame":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
