"""A small network for your images, trained from scratch: about 99,000 parameters at any size, or fewer (`--alpha`).

Four convolutions with batch normalization and pooling, then the average over the image, so that the number of
parameters does not grow with the image. `small-cnn:3` has three convolutions, and so a quarter of the parameters.
"""

import dataclasses
import functools
from typing import Any

from edgecnn_runtime.errors import InputError
from edgecnn_training.networks.width import channels
from edgecnn_training.recipe import Build, Recipe, Shape
from edgecnn_training.schedule import Schedule
from edgecnn_training.settings import FOR_ANY_FOLDER, Optimizer, TrainingSettings

PREFIX = "small-cnn:"
# Each convolution has twice the channels of the one before, and half the side; that of the recipe is the fourth.
_DEPTH, _DEPTHS = 4, range(2, 7)


def builder(alpha: float, depth: int = _DEPTH) -> Build:
    """Return what builds the network with `alpha` times as many channels, of so many convolutions."""

    def build(keras: Any, shape: Shape, classes: int) -> Any:
        """Build the network: float32 `(N, *shape)` in 0…1 to probabilities `(N, classes)`."""
        layers = keras.layers
        stack = [keras.Input(shape)]
        for number in range(depth):
            stack += [
                layers.Conv2D(channels(16 << number, alpha), (3, 3), padding="same", use_bias=False),
                # Keras's 0.99 takes hundreds of steps to forget where it began; small folders give ten an epoch.
                layers.BatchNormalization(momentum=0.9),
                layers.ReLU(),
                # "same", so that an image of a few pixels can still go through all.
                layers.MaxPooling2D((2, 2), padding="same"),
            ]
        return keras.Sequential(
            [
                *stack,
                layers.GlobalAveragePooling2D(),
                layers.Dropout(0.2),
                layers.Dense(classes, activation="softmax", dtype="float32"),
            ],
            name="core",
        )

    return build


SMALL_CNN = Recipe(
    name="small-cnn",
    summary="your images, from scratch: four convolutions, batch norm; about 99,000 parameters",
    data=None,
    input_shape=(96, 96, 3),
    any_size=True,
    settings=TrainingSettings(
        epochs=30,
        batch_size=32,
        optimizer=Optimizer.ADAM,
        learning_rate=0.001,
        schedule=Schedule.COSINE,
        **FOR_ANY_FOLDER,
    ),
    build=builder(1.0),
    build_at=builder,
)


def of_depth(text: str) -> Recipe:
    """Return the recipe with another number of convolutions.

    Raises:
        InputError: it is no number, or out of range.

    >>> of_depth("3").name, of_depth("4").name
    ('small-cnn:3', 'small-cnn')
    """
    if not text.isdecimal() or int(text) not in _DEPTHS:
        raise InputError(f"depth: expected {_DEPTHS[0]}…{_DEPTHS[-1]} convolutions as in {PREFIX}3, got {text!r}")
    depth = int(text)
    if depth == _DEPTH:
        return SMALL_CNN
    return dataclasses.replace(
        SMALL_CNN,
        name=f"{PREFIX}{depth}",
        summary=SMALL_CNN.summary.replace("four convolutions", f"{depth} convolutions").partition(";")[0],
        build=builder(1.0, depth),
        build_at=functools.partial(builder, depth=depth),
    )
