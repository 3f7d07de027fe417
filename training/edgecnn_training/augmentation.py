"""Random changes to the training images: Keras layers in front of the network while it trains, and only then.

They work on the pixels 0…255, before the scaling. The saved network does not hold them.
"""

import enum
from dataclasses import dataclass
from typing import Any


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


# What photos of objects bear, which may hang to either side but not upside down.
PHOTOS = Augmentation(flip_horizontal=True, contrast=0.2, rotation=0.05, zoom_in=0.1, zoom_out=0.1)


def augmented(keras: Any, network: Any, augmentation: Augmentation, *, seed: int) -> Any:
    """Put the changes in front of a network, which is shared and trained with it.

    Args:
        keras: the module `keras`.
        network: pixels 0…255 in.
        augmentation: which changes.
        seed: of the first layer; the others count on from there.

    Returns:
        A model that changes the images while it trains and does nothing to them otherwise; in float32 whatever the
        precision of the network.
    """
    layers, wanted = keras.layers, augmentation
    fill: dict[str, Any] = {"fill_mode": "nearest"}
    if wanted.border is not Border.NEAREST:
        fill = {"fill_mode": "constant", "fill_value": 255.0 if wanted.border is Border.WHITE else 0.0}
    made: list[Any] = []

    def add(layer: Any, *arguments: Any, **options: Any) -> None:
        made.append(layer(*arguments, **options, seed=seed + len(made), dtype="float32"))

    if wanted.flip_horizontal:
        add(layers.RandomFlip, "horizontal")
    if wanted.flip_vertical:
        add(layers.RandomFlip, "vertical")
    if wanted.contrast:
        add(layers.RandomContrast, wanted.contrast, value_range=(0, 255))
    if wanted.brightness:
        add(layers.RandomBrightness, wanted.brightness, value_range=(0, 255))
    if wanted.rotation:
        add(layers.RandomRotation, wanted.rotation, **fill)
    if wanted.zoom_in or wanted.zoom_out:
        add(layers.RandomZoom, (-wanted.zoom_in, wanted.zoom_out), **fill)
    if wanted.shift:
        add(layers.RandomTranslation, wanted.shift, wanted.shift, **fill)
    if wanted.shear:
        add(layers.RandomShear, wanted.shear, wanted.shear, **fill)
    pixels = keras.Input(network.input_shape[1:])
    changed = pixels
    for layer in made:
        changed = layer(changed)
    return keras.Model(pixels, network(changed), name="augmented")
