"""Random changes to the training images: layers in front of the network while it trains, and only then.

They work on the pixels 0…255, before the scaling. The saved network does not hold them.

Keras's layers are taken where they draw for each image anew. Its `RandAugment` (3.15) draws one change for a whole
batch and turns one way only, its `RandomGaussianBlur` draws one blur for a whole batch, and its layers for flips,
turns, zooms and shifts interpolate one after the other: these are made here.
"""

import enum
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
    pixels = keras.Input(network.input_shape[1:])
    changed = pixels
    for layer in changing_layers(augmentation, seed=seed):
        changed = layer(changed)
    return keras.Model(pixels, network(changed), name="augmented")


def changing_layers(augmentation: Augmentation, *, seed: int) -> list[Any]:
    """Return the layers that change images `(N, height, width, channels)`, 0…255, in the order in which they do."""
    layers: list[Any] = []
    if augmentation.moves_pixels:
        layers.append(RandomAffine(augmentation, seed=seed))
    colours = {"value_range": (0, 255), "dtype": "float32"}
    if augmentation.rand_augment:
        layers.append(RandAugment(augmentation.rand_augment, augmentation.border, seed=seed + 3))
    if augmentation.contrast:
        layers.append(keras.layers.RandomContrast(augmentation.contrast, seed=seed + 1, **colours))
    if augmentation.brightness:
        layers.append(keras.layers.RandomBrightness(augmentation.brightness, seed=seed + 2, **colours))
    if augmentation.blur:
        layers.append(RandomBlur(augmentation.blur, seed=seed + 4))
    if augmentation.noise:
        layers.append(RandomNoise(augmentation.noise, seed=seed + 5))
    if augmentation.erasing:
        # Every image is erased in, by noise; the sides of the rectangle are drawn one by one.
        layers.append(
            keras.layers.RandomErasing((1.0, 1.0), scale=(0.0, augmentation.erasing), seed=seed + 6, **colours)
        )
    return layers


class _RandomLayer(keras.layers.Layer):  # type: ignore[misc]
    """A layer that changes images while it trains, with random numbers of its own."""

    def __init__(self, *, seed: int) -> None:
        super().__init__(dtype="float32")
        self._seeds = keras.random.SeedGenerator(seed)

    def call(self, images: Any, training: bool = False) -> Any:
        """Return the images changed, or as they are where nothing is being trained."""
        return self.changed(keras.ops.cast(images, "float32")) if training else images

    def changed(self, images: Any) -> Any:
        """Return images `(N, height, width, channels)`, 0…255, changed."""
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Images keep their shape."""
        return input_shape

    def _draws(self, count: int, images: Any, low: float = -1.0) -> list[Any]:
        """Draw `count` rows of numbers from `low` to 1, a column for each image."""
        draws = keras.random.uniform((count, keras.ops.shape(images)[0]), low, 1.0, seed=self._seeds)
        return [draws[row] for row in range(count)]


class RandomAffine(_RandomLayer):
    """Flips, turns, scales, shifts and shears each image (N, height, width, channels), and draws it anew only once.

    Keras has a layer for each of these changes, and each of them interpolates: an image that went through four is
    much softer than those that the network meets later. Here the changes of an image are multiplied into one affine
    matrix, around its centre. Where only flips are asked for, the pixels stay the same to the bit.
    """

    def __init__(self, augmentation: Augmentation, *, seed: int) -> None:
        """Move pixels as far as `augmentation` says; its other changes are not read."""
        super().__init__(seed=seed)
        self._limits = augmentation
        self.supports_jit = False  # TensorFlow's resampling has no XLA kernel

    def changed(self, images: Any) -> Any:
        """Draw for each image how far it moves, and move it."""
        ops, limits = keras.ops, self._limits
        mirror, upend, turn, larger, right, down, lean_x, lean_y, cut, aside, below, taller, wider = self._draws(
            13, images
        )
        # Uniform between 1 - zoom_in and 1 + zoom_out; what is cropped is 1 - kept of a side, wherever.
        scale = 1 + (larger * (limits.zoom_out + limits.zoom_in) + limits.zoom_out - limits.zoom_in) / 2
        kept = 1 - (cut + 1) / 2 * limits.crop
        # An image that is stretched shows less of itself.
        scale_x, scale_y = scale * kept / (1 + wider * limits.width), scale * kept / (1 + taller * limits.height)
        if limits.flip_horizontal:
            scale_x = ops.where(mirror < 0, -scale_x, scale_x)
        if limits.flip_vertical:
            scale_y = ops.where(upend < 0, -scale_y, scale_y)
        return moved(
            images,
            turn=turn * limits.rotation,
            scale=(scale_x, scale_y),
            shift=(right * limits.shift + aside * (1 - kept) / 2, down * limits.shift + below * (1 - kept) / 2),
            shear=(lean_x * limits.shear, lean_y * limits.shear),
            border=limits.border,
        )


def moved(
    images: Any, *, turn: Any, scale: tuple[Any, Any], shift: tuple[Any, Any], shear: tuple[Any, Any], border: Border
) -> Any:
    """Draw images anew, each through an affine matrix of its own around its centre.

    Args:
        images: `(N, height, width, channels)`.
        turn: in full turns; this and the others are `(N,)`.
        scale: of what is seen, along x and y; negative flips.
        shift: of what is seen, as a share of the width and of the height.
        shear: the slope of a vertical and of a horizontal line.
        border: what shows where an image does not reach.
    """
    ops = keras.ops
    cosine, sine = ops.cos(turn * (2 * math.pi)), ops.sin(turn * (2 * math.pi))
    (scale_x, scale_y), (lean_x, lean_y), (right, down) = scale, shear, shift
    a0, a1 = (cosine - sine * lean_y) * scale_x, (cosine * lean_x - sine) * scale_y
    b0, b1 = (sine + cosine * lean_y) * scale_x, (sine * lean_x + cosine) * scale_y
    height, width = (ops.cast(side, "float32") for side in ops.shape(images)[1:3])
    centre_x, centre_y = (width - 1) / 2, (height - 1) / 2
    # A pixel (x, y) shows (a0 x + a1 y + a2, b0 x + b1 y + b2).
    a2 = centre_x - a0 * centre_x - a1 * centre_y + right * width
    b2 = centre_y - b0 * centre_x - b1 * centre_y + down * height
    zero = ops.zeros_like(a0)
    return ops.image.affine_transform(
        images,
        ops.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1),
        interpolation="bilinear",
        fill_mode="nearest" if border is Border.NEAREST else "constant",
        fill_value=255.0 if border is Border.WHITE else 0.0,
        data_format="channels_last",
    )


class RandomBlur(_RandomLayer):
    """Blurs each image by a Gaussian of its own, whose deviation is drawn from 0 to `most` pixels."""

    def __init__(self, most: float, *, seed: int) -> None:
        super().__init__(seed=seed)
        self._most = most

    def changed(self, images: Any) -> Any:
        """Draw a deviation for each image, and blur it."""
        return blurred(images, self._draws(1, images, 0.0)[0] * self._most, most=self._most)


def blurred(images: Any, deviations: Any, *, most: float) -> Any:
    """Blur each image by a Gaussian; beyond its edges an image goes on as they are.

    Args:
        images: `(N, height, width, channels)`.
        deviations: in pixels, `(N,)`, 0…`most`.
        most: the Gaussian is cut off at three times this.
    """
    ops = keras.ops
    reach = math.ceil(3 * most)
    offsets = range(-reach, reach + 1)
    # A deviation of 0 leaves the image as it is.
    spread = ops.maximum(ops.reshape(deviations, (-1, 1)), 1e-3)
    weights = ops.exp(-0.5 * (ops.convert_to_tensor([list(offsets)], "float32") / spread) ** 2)
    weights = ops.reshape(weights / ops.sum(weights, axis=1, keepdims=True), (-1, len(offsets), 1, 1, 1))
    for axis in (1, 2):
        side = ops.shape(images)[axis]
        places = ops.arange(side)
        images = sum(
            weights[:, index] * ops.take(images, ops.clip(places + offset, 0, side - 1), axis=axis)
            for index, offset in enumerate(offsets)
        )
    return images


class RandomNoise(_RandomLayer):
    """Adds Gaussian noise to each image, whose deviation is drawn from 0 to `most` of 255."""

    def __init__(self, most: float, *, seed: int) -> None:
        super().__init__(seed=seed)
        self._most = most

    def changed(self, images: Any) -> Any:
        """Draw a deviation for each image, and the noise."""
        deviations = keras.ops.reshape(self._draws(1, images, 0.0), (-1, 1, 1, 1)) * (255 * self._most)
        noise = keras.random.normal(keras.ops.shape(images), seed=self._seeds)
        return keras.ops.clip(images + deviations * noise, 0.0, 255.0)


class _Change(enum.IntEnum):
    """The changes that RandAugment draws from."""

    NOTHING = 0
    BRIGHTNESS = 1
    CONTRAST = 2
    SATURATION = 3
    SHARPNESS = 4
    TURN = 5
    LEAN = 6
    SLOPE = 7
    SHIFT_ASIDE = 8
    SHIFT_DOWN = 9
    SOLARIZE = 10
    POSTERIZE = 11
    SPREAD = 12


class RandAugment(_RandomLayer):
    """Changes each image twice, each time in one way of thirteen (E. D. Cubuk et al., arXiv:1909.13719).

    Those of the paper but for the equalized histogram, which has no fast form for a batch; at full strength they reach
    as far as in its code, and to either side where there are two.
    """

    def __init__(self, strength: float, border: Border, *, seed: int) -> None:
        """Change images by `strength`, 0…1; the paper's best is at 0.3 for small networks."""
        super().__init__(seed=seed)
        self._strength, self._border = strength, border
        self.supports_jit = False

    def changed(self, images: Any) -> Any:
        """Draw two changes for each image, and make them."""
        for _ in range(2):
            chosen, side = self._draws(2, images)
            chosen = keras.ops.floor((chosen + 1) / 2 * len(_Change))
            images = self._changed_once(images, chosen, keras.ops.where(side < 0, -self._strength, self._strength))
        return images

    def _changed_once(self, images: Any, chosen: Any, strength: Any) -> Any:
        """Make one change to each image; `chosen`, of `_Change`, and `strength`, -1…1, are `(N,)`."""
        ops = keras.ops

        def where(change: _Change) -> Any:
            return ops.where(chosen == float(change), strength, 0.0)

        def choose(change: _Change, made: Any, otherwise: Any) -> Any:
            return ops.where(ops.reshape(chosen == float(change), (-1, 1, 1, 1)), made, otherwise)

        one = ops.ones_like(strength)
        images = moved(
            images,
            turn=where(_Change.TURN) * (30 / 360),
            scale=(one, one),
            shift=(where(_Change.SHIFT_ASIDE) * 0.45, where(_Change.SHIFT_DOWN) * 0.45),
            shear=(where(_Change.LEAN) * 0.3, where(_Change.SLOPE) * 0.3),
            border=self._border,
        )
        # Away from what lacks the quality altogether, or towards it.
        without = choose(_Change.BRIGHTNESS, 0.0, images)
        without = choose(_Change.CONTRAST, ops.mean(images, axis=(1, 2, 3), keepdims=True), without)
        without = choose(_Change.SATURATION, ops.mean(images, axis=3, keepdims=True), without)
        without = choose(_Change.SHARPNESS, blurred(images, one, most=1.0), without)
        images = without + (images - without) * ops.reshape(1 + 0.9 * strength, (-1, 1, 1, 1))
        images = ops.clip(images, 0.0, 255.0)

        solarized = ops.where(images >= 256 * (1 - self._strength), 255 - images, images)
        images = choose(_Change.SOLARIZE, solarized, images)
        step = 2.0 ** round(4 * self._strength)
        images = choose(_Change.POSTERIZE, ops.floor(images / step) * step, images)
        darkest = ops.min(images, axis=(1, 2), keepdims=True)
        brightest = ops.max(images, axis=(1, 2), keepdims=True)
        spread = (images - darkest) * 255 / ops.maximum(brightest - darkest, 1.0)
        return choose(_Change.SPREAD, spread, images)
