"""Images of more than 8 bits per channel: the high byte of each value, where the file tells what is white.

A 16-bit file often holds the values of an 8-bit picture or of a 12-bit sensor as they are. Nothing in the file says so,
and the high bytes are then nothing but black: such an image is refused, because a really dark one looks the same.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn_runtime.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image

# Of an image that stays below, at most 16 of 256 shades would be left.
_LEAST_WHITE = 4096
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # TIFF 6.0, section 8


@dataclass(frozen=True)
class Depth:
    """How the values of an image are read."""

    bits: int
    white_is_zero: bool = False

    @classmethod
    def of(cls, image: "Image") -> "Depth | None":
        """Return that of an image which is not decoded yet; None for one of 8 bits."""
        in_one_channel = image.mode == "F" or image.mode.startswith("I")
        tags = getattr(image, "tag_v2", {}) if image.format == "TIFF" else {}
        for tile in getattr(image, "tile", ()):
            stored, *more = tile[3] if isinstance(tile[3], tuple) else (tile[3],)
            if stored == "I;12":
                return cls(12)
            if in_one_channel:
                return cls(16, tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO)
            # White paper in CMYK is 0 in every channel.
            if image.mode in ("RGB", "RGBA") and (";16" in str(stored) or (tile[0] == "ppm" and 65535 in more)):
                return cls(16)
        return cls(16) if in_one_channel else None

    def shortened(self, image: "Image") -> "Image":
        """Return a decoded image with 8 bits per channel.

        Raises:
            ImageError: 32-bit values, or such as make no picture of that many bits.
        """
        from PIL import Image

        if image.mode in ("RGB", "RGBA"):
            # Pillow has kept the high bytes.
            bands: Any = image.getextrema()
            high = max(highest for _, highest in bands[:3])
            self._check(256 * high + 255)
            return image
        values = np.asarray(image)
        lowest, highest = values.min(), values.max()
        if image.mode == "F" or lowest < 0 or highest >= 1 << self.bits:
            raise ImageError(
                "image: expected 1, 8 or 16 bits per channel, got 32-bit values "
                f"({lowest:g}…{highest:g}); save it with 8 bits, white as 255"
            )
        # All zeros are black in any number of bits.
        if self.bits == 16 and highest:
            self._check(int(highest))
        if self.white_is_zero:
            values = (1 << self.bits) - 1 - values
        return Image.fromarray((values >> (self.bits - 8)).astype(np.uint8))

    @staticmethod
    def _check(highest: int) -> None:
        if highest < _LEAST_WHITE:
            raise ImageError(
                f"image: expected 16-bit values with white near 65,535, got none above {highest:,}, which would be "
                "black; save it with 8 bits, or spread its values over 0…65,535"
            )
