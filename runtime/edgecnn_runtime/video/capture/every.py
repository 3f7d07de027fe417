"""A source that waits for its reader, such as a file: every frame in order, none dropped."""

import threading
import time

from edgecnn_runtime.video.capture.device import Device, damage_events
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
        # Pictures taken or skipped, without the damaged ones.
        self._good = self.damaged = 0
        self._events: list[Event] = []
        self._ended = False

    def newest(self, after: int = 0, *, timeout: float | None = None) -> Frame | None:
        """Read on to the first frame with a number above `after`; None when the file has ended."""
        del timeout  # a file does not keep its reader waiting
        with self._lock:
            if self._frame is not None and self._frame.number > after:
                return self._frame
            while not self._ended and self._good + self.damaged < after:
                self._count(there=self._device.skip())
            picture = None if self._ended else self._device.read()
            if not self._ended:
                self._count(there=picture is not None)
            if picture is None:
                return None
            number = self._good + self.damaged
            self._frame = Frame(picture.pixels, number, time.monotonic(), picture.position)
            return self._frame

    def take_events(self) -> list[Event]:
        """Return which frames were found damaged since the last call, and whether the file ended before its time."""
        with self._lock:
            events, self._events = self._events, []
            return events

    def _count(self, *, there: bool) -> None:
        """Count a picture of the device, or its end, and what was damaged before it."""
        self._events += damage_events(self._device, self.name, self.damaged, self._good + self.damaged, there=there)
        self.damaged = self._device.damaged
        self._good += there
        self._ended = not there

    def close(self) -> None:
        """Give the file back."""
        with self._lock:
            self._ended = True
            self._device.close()

    def __enter__(self) -> "EveryFrame":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
