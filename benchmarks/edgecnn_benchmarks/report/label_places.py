"""Where the labels of a chart go: near their points, on nothing else."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

_DISTANCES = (16.0, 26.0, 40.0, 56.0, 72.0, 90.0, 110.0)
_DEGREES = (0, 180, 330, 30, 210, 150, 270, 90)


@dataclass(frozen=True)
class Box:
    """A rectangle of the drawing, in px; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlap(self, other: "Box") -> float:
        """Return the area that both cover.

        >>> Box(0, 0, 4, 4).overlap(Box(3, 1, 9, 3))
        2.0
        """
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.bottom, other.bottom) - max(self.top, other.top)
        return max(0.0, float(width)) * max(0.0, float(height))


@dataclass(frozen=True)
class TakenSpace:
    """What a label should not cover, and how much that matters."""

    box: Box
    weight: float


@dataclass(frozen=True)
class LabelPlace:
    """A box for a label, and how far from its point it was sought."""

    box: Box
    distance: float


def find_place(
    x: float, y: float, *, width: float, height: float, frame: Box, obstacles: Sequence[TakenSpace]
) -> LabelPlace:
    """Find the place within `frame` that covers least of the obstacles; between equal ones the nearest."""
    return min(
        _places(x, y, width, height, frame),
        key=lambda place: (
            sum(obstacle.weight * place.box.overlap(obstacle.box) for obstacle in obstacles),
            place.distance,
        ),
    )


def _places(x: float, y: float, width: float, height: float, frame: Box) -> Iterator[LabelPlace]:
    for distance in _DISTANCES:
        for degrees in _DEGREES:
            across, down = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            left = x + distance * across - width * (1 - across) / 2
            left = min(max(left, frame.left), frame.right - width)
            top = min(max(y + distance * down - height / 2, frame.top), frame.bottom - height)
            yield LabelPlace(Box(left, top, left + width, top + height), distance)
