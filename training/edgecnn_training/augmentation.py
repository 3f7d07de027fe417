"""Random changes to the training images: Keras layers in front of the network while it trains, and only then.

They work on the pixels 0…255, before the scaling. The saved network does not hold them.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """How far each image is changed at most; 0 leaves a change out."""

    flip_horizontal: bool = False
    flip_vertical: bool = False
    contrast: float = 0.0  # the distance from the mean is multiplied by 1 ± this
    rotation: float = 0.0  # in full turns, either way
    zoom: float = 0.0  # larger and smaller by this share
    shear: float = 0.0  # the slope of a vertical or horizontal line afterwards
    # What shows where the image does not reach: "constant" is black.
    border: str = "nearest"

    def __bool__(self) -> bool:
        """Whether anything is changed."""
        return self != Augmentation(border=self.border)


def augmented(keras: Any, network: Any, augmentation: Augmentation, *, seed: int) -> Any:
    """Put the changes in front of a network, which is shared and trained with it.

    Args:
        keras: the module `keras`.
        network: pixels 0…255 in.
        augmentation: which changes.
        seed: of the first layer; the others count on from there.

    Returns:
        A model that changes the images while it trains and does nothing to them otherwise.
    """
    layers = keras.layers
    made: list[Any] = []

    def add(layer: Any, *arguments: Any, **options: Any) -> None:
        made.append(layer(*arguments, **options, seed=seed + len(made)))

    if augmentation.flip_horizontal:
        add(layers.RandomFlip, "horizontal")
    if augmentation.flip_vertical:
        add(layers.RandomFlip, "vertical")
    if augmentation.contrast:
        add(layers.RandomContrast, augmentation.contrast, value_range=(0, 255))
    if augmentation.rotation:
        add(layers.RandomRotation, augmentation.rotation, fill_mode=augmentation.border)
    if augmentation.zoom:
        add(layers.RandomZoom, augmentation.zoom, fill_mode=augmentation.border)
    if augmentation.shear:
        add(layers.RandomShear, augmentation.shear, augmentation.shear, fill_mode=augmentation.border)
    pixels = keras.Input(network.input_shape[1:])
    changed = pixels
    for layer in made:
        changed = layer(changed)
    return keras.Model(pixels, network(changed), name="augmented")
