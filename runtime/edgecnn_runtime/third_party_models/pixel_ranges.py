"""The numbers that a network may take for pixels: which are usual, and which a range of quantized numbers means."""

from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.pixel_scaling import PixelScaling, named_scaling


@dataclass(frozen=True)
class PixelRange:
    """One of the usual ranges, and what is typed for it."""

    name: str
    option: str  # of the command line, with its value
    scaling: PixelScaling
    of_colours: bool = False  # three numbers, so none of a grey image
    # The smallest and the largest numbers in it.
    ends: tuple[float, float] = (0.0, 0.0)


# In the order in which models of the field have them.
PIXEL_RANGES = (
    PixelRange("0…1", "--scale 1/255", PixelScaling((1 / 255,)), ends=(0, 1)),
    PixelRange("-1…1", "--preprocess tf", named_scaling("tf"), ends=(-1, 1)),
    PixelRange("0…255", "--preprocess none", named_scaling("none"), ends=(0, 255)),
    PixelRange("ImageNet's mean and deviation", "--preprocess torch", named_scaling("torch"), True, (-2.118, 2.64)),
    PixelRange("BGR less ImageNet's mean", "--preprocess caffe", named_scaling("caffe"), True, (-123.68, 151.061)),
)  # fmt: skip


class PixelRangeError(InputError):
    """A third-party file does not say what it takes for pixels 0…255, and nobody else does.

    A wrong guess gives wrong labels without an error, and no measure of the answers tells it from the right one: of
    a network that is given the wrong numbers they may be as sure, and differ as much.
    """

    def __init__(self, reason: str, ranges: Sequence[PixelRange]) -> None:
        """Say why it is not known, and name the ranges to choose from."""
        super().__init__(reason, ranges)
        self.reason, self.ranges = reason, tuple(ranges)

    @classmethod
    def of(cls, channels: int, why: str) -> "PixelRangeError":
        """Name the usual ranges for a number of channels, and `why` the file does not tell."""
        ranges = [one for one in PIXEL_RANGES if channels == 3 or not one.of_colours]
        return cls(f"expected what it takes for pixels 0…255, {why}", ranges)

    def __str__(self) -> str:
        """Return the reason and what to do."""
        listed = ", ".join(f"{one.option} ({one.name})" for one in self.ranges)
        return f"{self.reason}; give what it was trained with: {listed}, or --scale, --mean and --std"


def range_of_numbers(low: float, high: float, *, channels: int) -> PixelRange | None:
    """Return the usual range that a tensor quantized to `low`…`high` was calibrated on, None where it is none of them.

    >>> [getattr(range_of_numbers(*ends, channels=3), "name", None) for ends in ((0, 1), (-1, 0.992), (-122.6, 25.5))]
    ['0…1', '-1…1', None]
    """
    width = high - low
    for one in PIXEL_RANGES:
        wanted = one.ends[1] - one.ends[0]
        fits = abs(low - one.ends[0]) <= 0.1 * wanted and abs(high - one.ends[1]) <= 0.2 * wanted
        # Images of a calibration seldom reach the ends.
        if fits and 0.8 <= width / wanted <= 1.1 and (channels == 3 or not one.of_colours):
            return one
    return None
