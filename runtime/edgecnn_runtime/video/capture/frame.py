"""What a source hands on: frames, and what happened to it."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, slots=True)
class Frame:
    """One picture of a source."""

    pixels: NDArray[np.uint8]  # (height, width, 3), RGB order; the next frame has an array of its own
    number: int  # 1 for the first picture that the source gave, and on; those that nobody took are counted too
    captured: float  # when it reached this process, seconds of time.monotonic()
    position: float | None = None  # where it is in a file, seconds from the start; None for a camera

    @property
    def time(self) -> float:
        """The second that smoothing counts in: that of the file, or that of the clock."""
        return self.captured if self.position is None else self.position


class EventKind(StrEnum):
    """What can happen to a camera, or be found in a file."""

    GAP = "gap"  # it is gone; it is tried again with growing pauses
    REOPENED = "reopened"  # it is back
    FROZEN = "frozen"  # it gives the same picture again and again, or none
    MOVING = "moving"  # it is no longer frozen
    DAMAGED = "damaged"  # frames of a file that cannot be decoded; those after them follow
    TRUNCATED = "truncated"  # a file ended before its time


@dataclass(frozen=True, slots=True)
class Event:
    """Something happened to a camera, or was found in a file."""

    kind: EventKind
    time: float  # seconds of time.monotonic()
    text: str
