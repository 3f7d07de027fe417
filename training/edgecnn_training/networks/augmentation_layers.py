"""Random changes to the training images: Keras layers in front of the network while it trains, and only then.

They work on the pixels 0…255, before the scaling. The saved network does not hold them.
"""

import math
from typing import Any

import keras

from edgecnn_training.augmentation import Augmentation, Border


def augmented(network: Any, augmentation: Augmentation, *, seed: int) -> Any:
    """Put the changes in front of a network, which is shared and trained with it.

    Args:
        network: pixels 0…255 in.
        augmentation: which changes.
        seed: of the changes.

    Returns:
        A model that changes the images while it trains and does nothing to them otherwise; in float32 whatever the
        precision of the network.
    """
    made: list[Any] = []
    if augmentation.moves_pixels:
        made.append(RandomAffine(augmentation, seed=seed))
    colours = {"value_range": (0, 255), "dtype": "float32"}
    if augmentation.contrast:
        made.append(keras.layers.RandomContrast(augmentation.contrast, seed=seed + 1, **colours))
    if augmentation.brightness:
        made.append(keras.layers.RandomBrightness(augmentation.brightness, seed=seed + 2, **colours))
    pixels = keras.Input(network.input_shape[1:])
    changed = pixels
    for layer in made:
        changed = layer(changed)
    return keras.Model(pixels, network(changed), name="augmented")


class RandomAffine(keras.layers.Layer):  # type: ignore[misc]
    """Flips, turns, scales, shifts and shears each image (N, height, width, channels), and draws it anew only once.

    Keras has a layer for each of these changes, and each of them interpolates: an image that went through four is
    much softer than those that the network meets later. Here the changes of an image are multiplied into one affine
    matrix, around its centre. Where only flips are asked for, the pixels stay the same to the bit.
    """

    def __init__(self, augmentation: Augmentation, *, seed: int) -> None:
        """Move pixels as far as `augmentation` says; its contrast and brightness are not read."""
        super().__init__(dtype="float32")
        self._limits = augmentation
        self._seeds = keras.random.SeedGenerator(seed)
        self.supports_jit = False  # TensorFlow's resampling has no XLA kernel

    def call(self, images: Any, training: bool = False) -> Any:
        """Return the images moved, or as they are where nothing is being trained."""
        if not training:
            return images
        border = self._limits.border
        return keras.ops.image.affine_transform(
            images,
            self._matrices(images),
            interpolation="bilinear",
            fill_mode="nearest" if border is Border.NEAREST else "constant",
            fill_value=255.0 if border is Border.WHITE else 0.0,
            data_format="channels_last",
        )

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Images keep their shape."""
        return input_shape

    def _matrices(self, images: Any) -> Any:
        """Draw for each image (a0, a1, a2, b0, b1, b2, 0, 0): a pixel (x, y) shows (a0 x + a1 y + a2, b0 x + …)."""
        ops, limits = keras.ops, self._limits
        count, height, width = ops.shape(images)[:3]
        draws = keras.random.uniform((8, count), -1.0, 1.0, seed=self._seeds)
        mirror, upend, turn, larger, right, down, lean_x, lean_y = (draws[row] for row in range(8))

        angle = turn * (2 * math.pi * limits.rotation)
        cosine, sine = ops.cos(angle), ops.sin(angle)
        lean_x, lean_y = lean_x * limits.shear, lean_y * limits.shear
        # Uniform between 1 - zoom_in and 1 + zoom_out.
        scale = 1 + (larger * (limits.zoom_out + limits.zoom_in) + limits.zoom_out - limits.zoom_in) / 2
        scale_x = ops.where(mirror < 0, -scale, scale) if limits.flip_horizontal else scale
        scale_y = ops.where(upend < 0, -scale, scale) if limits.flip_vertical else scale

        a0, a1 = (cosine - sine * lean_y) * scale_x, (cosine * lean_x - sine) * scale_y
        b0, b1 = (sine + cosine * lean_y) * scale_x, (sine * lean_x + cosine) * scale_y
        height, width = ops.cast(height, "float32"), ops.cast(width, "float32")
        centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
        a2 = centre_x - a0 * centre_x - a1 * centre_y + right * limits.shift * width
        b2 = centre_y - b0 * centre_x - b1 * centre_y + down * limits.shift * height
        zero = ops.zeros_like(a0)
        return ops.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1)
