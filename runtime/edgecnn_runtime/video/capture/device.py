"""What a source is read through; each kind of device has its own file."""

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.video.capture.frame import Event, EventKind


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """What a device gives: uint8 pixels `(height, width, 3)` in RGB order, and their second in a file."""

    pixels: NDArray[np.uint8]
    position: float | None = None


class Device(Protocol):
    """An opened camera, file or stream. One thread opens, reads and closes it."""

    # Whether pictures come at the world's pace, so that those nobody takes are gone.
    live: bool

    @property
    def damaged(self) -> int:
        """Pictures of a file passed over so far because they cannot be decoded."""

    @property
    def ending(self) -> str | None:
        """Of a file that has ended before its time, how; else None."""

    def read(self) -> Picture | None:
        """Wait for the next picture; None: the camera is gone, or the file has ended."""

    def skip(self) -> bool:
        """Pass over the next picture as cheaply as possible; False: there is none."""

    def close(self) -> None:
        """Give the device back."""


def damage_events(device: Device, name: str, damaged: int, number: int, *, there: bool) -> list[Event]:
    """Describe what a device found damaged on the way to its latest picture, or to its end.

    Args:
        device: as it is now.
        name: of the source.
        damaged: its count before.
        number: of the last frame before.
        there: whether there is a picture.
    """
    events = []
    if new := device.damaged - damaged:
        which = f"frame {number + 1:,}" if new == 1 else f"frames {number + 1:,} to {number + new:,}"
        text = f"{name}: {which} cannot be decoded; the file is damaged, reading goes on"
        events.append(Event(EventKind.DAMAGED, time.monotonic(), text))
    if not there and device.ending is not None:
        events.append(Event(EventKind.TRUNCATED, time.monotonic(), f"{name}: {device.ending}"))
    return events
