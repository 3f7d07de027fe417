"""How a recipe changes the training images at random; `augmentation_layers.py` does it."""

import dataclasses
import enum
from dataclasses import dataclass


class Border(enum.StrEnum):
    """What shows where a moved image does not reach."""

    NEAREST = "nearest"  # the pixels of its edge, drawn out
    BLACK = "black"
    WHITE = "white"


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far each image is changed at most; 0 leaves a change out."""

    flip_horizontal: bool = False
    flip_vertical: bool = False
    contrast: float = 0.0  # the distance from the mean is multiplied by 1 ± this
    brightness: float = 0.0  # this share of 255 is added or taken off
    rotation: float = 0.0  # in full turns, either way
    zoom_in: float = 0.0  # this share of the sides is cut off, and the rest fills the image
    zoom_out: float = 0.0  # so much of a side is added around the image
    shift: float = 0.0  # along each side, as a share of it
    shear: float = 0.0  # the slope of a vertical or horizontal line afterwards
    border: Border = Border.NEAREST

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return self != Augmentation(border=self.border)

    @property
    def moves_pixels(self) -> bool:
        """Whether anything but colours is changed."""
        return bool(dataclasses.replace(self, contrast=0.0, brightness=0.0))


# What photos of objects bear, which may hang to either side but not upside down.
PHOTOS = Augmentation(flip_horizontal=True, contrast=0.2, rotation=0.05, zoom_in=0.1, zoom_out=0.1)
