"""The axis of a chart: from values to positions, with round figures along it."""

import math
from dataclasses import dataclass

# A larger ratio between the ends is shown on a logarithmic axis.
_LINEAR_SPREAD = 4.0
# Of a figure below an axis, in px, with some room.
_FIGURE_WIDTH = 58.0


@dataclass(frozen=True)
class Scale:
    """Maps values `low`…`high` to positions `start`…`end`; `log` needs `low` above 0."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the position of a value.

        >>> Scale(1, 100, 0, 200, log=True)(10)
        100.0
        """
        low, high, value = (math.log(x) if self.log else x for x in (self.low, self.high, value))
        return self.start + (value - low) / (high - low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """Return round figures within the axis, four to eight of them on a linear one.

        >>> Scale(0.97, 1.0, 0, 1).ticks()
        [0.97, 0.975, 0.98, 0.985, 0.99, 0.995, 1.0]
        >>> Scale(30, 300, 0, 1, log=True).ticks()
        [50.0, 100.0, 200.0]
        """
        if self.log:
            powers = range(math.floor(math.log10(self.low)), math.ceil(math.log10(self.high)) + 1)
            return [m * 10.0**power for power in powers for m in (1, 2, 5) if self.low <= m * 10.0**power <= self.high]
        rough = (self.high - self.low) / 7
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(m * power for m in (1, 2, 5, 10) if m * power >= rough * (1 - 1e-9))
        first = math.ceil(self.low / step - 1e-9)
        # Rounded, because 3 * 0.1 is not 0.3.
        return [round(k * step, 12) for k in range(first, math.floor(self.high / step + 1e-9) + 1)]

    def numbered_ticks(self) -> list[tuple[float, bool]]:
        """Return the ticks, each with whether there is room for its figure beside the one before.

        >>> Scale(30, 300, 0, 100, log=True).numbered_ticks()
        [(50.0, True), (100.0, False), (200.0, True)]
        """
        numbered: list[tuple[float, bool]] = []
        last = -math.inf
        for value in self.ticks():
            room = abs(self(value) - last) >= _FIGURE_WIDTH
            numbered.append((value, room))
            last = self(value) if room else last
        return numbered


def scale_around(low: float, high: float, *, start: float, end: float) -> Scale:
    """Return an axis that holds positive values with a margin, logarithmic where they are far apart."""
    if high / low > _LINEAR_SPREAD:
        margin = (high / low) ** 0.08
        return Scale(low / margin, high * margin, start, end, log=True)
    margin = (high - low) * 0.12 or high * 0.05
    return Scale(max(0.0, low - margin), high + margin, start, end)
