"""Labels that are shares of the classes: smoothed, or mixed as the images are.

Only the training step sees them. Validation goes by the plain cross-entropy of the true classes whatever is done here.
"""

from typing import Any

import keras

from edgecnn_training.augmentation import Augmentation
from edgecnn_training.networks.augmentation_layers import changing_layers


class SoftLabelModel(keras.Model):  # type: ignore[misc]
    """A model that is given class numbers, and learns from a row of shares for each image, one per class.

    The images are changed here too, because they are mixed after all other changes, as in the papers.
    """

    def __init__(self, model: Any, changes: Augmentation | None, *, smoothing: float, seed: int) -> None:
        """Train a model, which is shared.

        Args:
            model: images or features to probabilities `(N, classes)`.
            changes: of the images; None leaves images, or features, as they are.
            smoothing: this share of each label is spread over all classes (C. Szegedy et al., arXiv:1512.00567).
            seed: of the changes.
        """
        super().__init__(model.input, model.output, name="soft_labels")
        self._classes, self._smoothing = model.output_shape[-1], smoothing
        self._changes: list[Any] = []
        self._mixed: Any = None
        if changes is not None:
            self._changes = changing_layers(changes, seed=seed)
            if changes.mixes_images:
                self._mixed = MixedImages(changes.mixup, changes.cutmix, seed=seed + 7)

    def train_step(self, data: Any) -> Any:
        """Do one step; the weight of an image counts for the shares that it has in others."""
        images, labels, weights = keras.utils.unpack_x_y_sample_weight(data)
        images = keras.ops.cast(images, "float32")
        shares = smoothed(labels, self._classes, self._smoothing)
        if weights is not None:
            shares = shares * keras.ops.reshape(weights, (-1, 1))
        for change in self._changes:
            images = change(images, training=True)
        if self._mixed is not None:
            images, shares = self._mixed(images, shares)
        return super().train_step((images, shares))


def smoothed(labels: Any, classes: int, smoothing: float) -> Any:
    """Return a row per class number: `1 - smoothing` for its class, and `smoothing` spread over all classes."""
    return keras.ops.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes


class MixedImages(keras.layers.Layer):  # type: ignore[misc]
    """Mixes each image of a batch with the one before it, by mixup or CutMix, and the labels in the same shares.

    The batch is in random order, so the one before is any other. Keras's `CutMix` draws the parameter of its
    distribution at random, and takes the shares from a rectangle that it then cuts along whole pixels.
    """

    def __init__(self, mixup: float, cutmix: float, *, seed: int) -> None:
        """Mix images; where both are above 0, half of them in each way.

        Args:
            mixup: a of Beta(a, a), of which the shares are drawn (H. Zhang et al., arXiv:1710.09412).
            cutmix: the same, of the rectangle that is pasted (S. Yun et al., arXiv:1905.04899).
            seed: of the mixing.
        """
        super().__init__(dtype="float32")
        self._mixup, self._cutmix = mixup, cutmix
        self._seeds = keras.random.SeedGenerator(seed)

    def call(self, images: Any, labels: Any) -> tuple[Any, Any]:
        """Return images `(N, height, width, channels)` and labels `(N, classes)` mixed; float32."""
        ops = keras.ops
        count, height, width = ops.shape(images)[:3]
        by_mixup = self._shares(count, self._mixup)[:, None, None, None] * ops.ones_like(images[..., :1])
        by_cutmix = self._windows(count, height, width)
        if self._mixup and self._cutmix:
            which = keras.random.uniform((count, 1, 1, 1), seed=self._seeds) < 0.5
            own = ops.where(which, by_mixup, by_cutmix)
        else:
            own = by_mixup if self._mixup else by_cutmix
        # The share of an image in each of its pixels; in its label it has the mean of that.
        share = ops.mean(own, axis=(1, 2))
        return (
            own * images + (1 - own) * ops.roll(images, 1, axis=0),
            share * labels + (1 - share) * ops.roll(labels, 1, axis=0),
        )

    def _shares(self, count: Any, alpha: float) -> Any:
        """Draw the share of each image that stays, `(count,)`."""
        return keras.random.beta((count,), alpha or 1.0, alpha or 1.0, seed=self._seeds)

    def _windows(self, count: Any, height: Any, width: Any) -> Any:
        """Draw for each image the rectangle that is pasted: 0 in it and 1 around it, `(count, height, width, 1)`."""
        ops = keras.ops
        side = ops.sqrt(1 - self._shares(count, self._cutmix))
        places = keras.random.uniform((2, count), seed=self._seeds)
        inside = []
        for length, place in ((height, places[0]), (width, places[1])):
            pixels = ops.cast(ops.arange(length), "float32")[None]
            extent = ops.round(side * ops.cast(length, "float32"))[:, None]
            first = ops.floor(place[:, None] * (ops.cast(length, "float32") - extent + 1))
            inside.append(ops.logical_and(pixels >= first, pixels < first + extent))
        rows, columns = inside
        return 1 - ops.cast(ops.logical_and(rows[:, :, None], columns[:, None, :]), "float32")[..., None]


def cross_entropy(labels: Any, probabilities: Any) -> Any:
    """Return the cross-entropy of each image in nats; of rows of shares or, in validation, of class numbers."""
    if _are_rows(labels, probabilities):
        return keras.losses.categorical_crossentropy(labels, probabilities)
    return keras.losses.sparse_categorical_crossentropy(labels, probabilities)


def accuracy(labels: Any, probabilities: Any) -> Any:
    """Return for each image whether its class was found; of a row of shares, that of the greatest share."""
    if _are_rows(labels, probabilities):
        return keras.metrics.categorical_accuracy(labels, probabilities)
    return keras.metrics.sparse_categorical_accuracy(labels, probabilities)


def _are_rows(labels: Any, probabilities: Any) -> bool:
    """Whether labels have a column per class, of which there are at least two."""
    return bool(labels.shape[-1:] == probabilities.shape[-1:] and len(labels.shape) == 2)
