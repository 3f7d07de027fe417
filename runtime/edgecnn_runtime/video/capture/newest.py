"""A live source: a thread takes every picture as it comes and keeps the newest only, so that an answer is about now.

A camera that goes away is opened again, first after half a second and then after twice as long each time, up to half
a minute. One that gives the same picture, or none, for some seconds is called frozen: sensors have noise, so two
pictures of a camera are never equal.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import EdgecnnError, SourceError
from edgecnn_runtime.video.capture.device import Device, Picture, damage_events
from edgecnn_runtime.video.capture.frame import Event, EventKind, Frame

FREEZE_AFTER = 5.0  # seconds
RETRY_FIRST, RETRY_LONGEST = 0.5, 30.0  # seconds
# Events that wait for somebody to take them; the oldest go first.
_EVENTS = 100
# Every 8th row and column are compared first, so that watching a moving picture costs next to nothing.
_COARSE = 8


class NewestFrames:
    """The newest frame of a live source, as a context manager; safe to share between threads."""

    live = True

    def __init__(
        self,
        open_device: Callable[[], Device],
        name: str,
        *,
        ends: bool = False,
        freeze_after: float = FREEZE_AFTER,
        retry_first: float = RETRY_FIRST,
        retry_longest: float = RETRY_LONGEST,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Open a device and start to read it.

        Args:
            open_device: called now, and again in the reading thread whenever the camera was lost.
            name: of the source, for messages.
            ends: a device without a further picture has ended, as a file does, and is not opened again.
            freeze_after: seconds of the same picture, or of none, after which the camera counts as frozen.
            retry_first: seconds until a lost camera is opened again; twice as long after each failure.
            retry_longest: the longest of these pauses, seconds.
            clock: gives the second in which a picture came.

        Raises:
            SourceError: the device is not there.
            MissingExtraError: a package is missing.
        """
        self.name = name
        self._open_device, self._ends, self._freeze_after = open_device, ends, freeze_after
        self._retry_first, self._retry_longest = retry_first, retry_longest
        self._clock = clock
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._frame: Frame | None = None
        self._taken = True
        self._dropped = 0
        # Of a file: pictures that cannot be decoded, and those among them since the last picture.
        self.damaged = self._skipped = 0
        self._ended = False
        self._failure: BaseException | None = None
        self._events: deque[Event] = deque(maxlen=_EVENTS)
        self._lost = self._frozen = False
        # When a picture last came, and when one last differed from its predecessor.
        self._last_came = self._last_moved = clock()
        device = open_device()
        self._thread = threading.Thread(target=self._run, args=(device,), name="edgecnn-capture", daemon=True)
        self._thread.start()

    @property
    def dropped(self) -> int:
        """Frames that a newer one replaced before anybody took them."""
        return self._dropped

    @property
    def lost(self) -> bool:
        """Whether the camera is gone at the moment."""
        return self._lost

    @property
    def frozen(self) -> bool:
        """Whether the camera gives the same picture, or none, at the moment."""
        with self._changed:
            self._watch()
            return self._frozen

    def newest(self, after: int = 0, *, timeout: float | None = None) -> Frame | None:
        """Wait for a frame with a number above `after`; return the newest, or None when the source has ended.

        Raises:
            TimeoutError: none came within `timeout` seconds; the camera may be gone or frozen, see `take_events`.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while True:
                if self._frame is not None and self._frame.number > after:
                    self._taken = True
                    return self._frame
                if self._failure is not None:
                    raise SourceError(f"{self.name}: reading failed: {self._failure}") from self._failure
                if self._ended or self._stopping.is_set():
                    return None
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise TimeoutError(f"{self.name}: no new frame within {timeout:g} s")
                self._changed.wait(left)

    def take_events(self) -> list[Event]:
        """Return what happened since the last call, oldest first."""
        with self._changed:
            self._watch()
            events = list(self._events)
            self._events.clear()
            return events

    def close(self) -> None:
        """End the reading and give the device back; a reading that hangs is left to end by itself."""
        self._stopping.set()
        with self._changed:
            self._changed.notify_all()
        # Only the reading thread may close the device: OpenCV crashes if it is released while it reads.
        self._thread.join(timeout=2.0)

    def __enter__(self) -> "NewestFrames":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _run(self, device: Device | None) -> None:
        try:
            while device is not None and not self._stopping.is_set():
                picture = device.read()
                self._tell_damage(device, there=picture is not None)
                if picture is not None:
                    self._publish(picture)
                    continue
                device.close()
                device = None if self._ends else self._reopen()
        # A thread that dies in silence would leave its callers waiting for ever.
        except BaseException as error:
            self._failure = error
        finally:
            if device is not None:
                device.close()
            with self._changed:
                self._ended = True
                self._changed.notify_all()

    def _publish(self, picture: Picture) -> None:
        now = self._clock()
        previous = self._frame
        moved = self._ends or previous is None or not _equal(previous.pixels, picture.pixels)
        with self._changed:
            self._watch()
            self._last_came = now
            if moved:
                self._last_moved = now
            if self._frozen and moved:
                self._frozen = False
                self._tell(EventKind.MOVING, "the picture moves again")
            self._dropped += not self._taken
            self._taken = False
            number = self._skipped + (1 if previous is None else previous.number + 1)
            self._frame = Frame(picture.pixels, number, now, picture.position)
            self._changed.notify_all()

    def _tell_damage(self, device: Device, *, there: bool) -> None:
        number = 0 if self._frame is None else self._frame.number
        with self._changed:
            self._events += damage_events(device, self.name, self.damaged, number, there=there)
        self._skipped, self.damaged = device.damaged - self.damaged, device.damaged

    def _watch(self) -> None:
        """Notice that the camera is frozen; called with the lock held."""
        if self._ends or self._lost or self._frozen or self._ended:
            return
        now = self._clock()
        for since, what in ((self._last_came, "no picture"), (self._last_moved, "the same picture")):
            if now - since >= self._freeze_after:
                self._frozen = True
                self._tell(EventKind.FROZEN, f"{what} for {now - since:.0f} s")
                return

    def _reopen(self) -> Device | None:
        """Open a lost camera again and again; None when the reading ends meanwhile."""
        lost = self._clock()
        with self._changed:
            self._lost, self._frozen = True, False
            self._tell(EventKind.GAP, "the camera gives no picture any more; trying to open it again")
            self._changed.notify_all()
        pause = self._retry_first
        attempts = 0
        while not self._stopping.wait(pause):
            attempts += 1
            try:
                device = self._open_device()
            except EdgecnnError:
                pause = min(2 * pause, self._retry_longest)
                continue
            with self._changed:
                self._lost = False
                now = self._last_came = self._last_moved = self._clock()
                tries = "1 attempt" if attempts == 1 else f"{attempts} attempts"
                self._tell(EventKind.REOPENED, f"back after {now - lost:.1f} s and {tries}")
            return device
        return None

    def _tell(self, kind: EventKind, text: str) -> None:
        self._events.append(Event(kind, self._clock(), f"{self.name}: {text}"))


def _equal(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    coarse = np.array_equal(one[::_COARSE, ::_COARSE], other[::_COARSE, ::_COARSE])
    return coarse and np.array_equal(one, other)
