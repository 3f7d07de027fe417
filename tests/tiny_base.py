"""Small recipes for the 28x28 digits, on a base and without one."""

import dataclasses
import functools
from typing import Any

from edgecnn_training.augmentation import Augmentation
from edgecnn_training.recipe import Shape
from edgecnn_training.recipes import get_recipe
from edgecnn_training.scaling import Scaling
from edgecnn_training.settings import Optimizer, TrainingSettings

MNIST = get_recipe("mnist")


def on_a_small_base(keras: Any, shape: Shape, classes: int, *, dropout: float = 0.2) -> Any:
    """A recipe of the form of casting-mobilenetv2, whose base is small."""
    layers = keras.layers
    base = keras.Sequential(
        [keras.Input(shape), layers.Conv2D(8, 3, strides=2), layers.BatchNormalization(), layers.ReLU()], name="small"
    )
    base.trainable = False
    scaled = keras.Input(shape)
    x = layers.GlobalAveragePooling2D()(base(scaled, training=False))
    x = layers.Dropout(dropout)(x)
    return keras.Model(scaled, layers.Dense(classes, activation="softmax", dtype="float32")(x), name="core")


FROZEN = dataclasses.replace(MNIST, name="frozen", base="small", build=on_a_small_base)
AUGMENTED = dataclasses.replace(FROZEN, augmentation=Augmentation(rotation=0.05, zoom_in=0.1))
# With nothing random in it, so that two ways to train it can be compared.
TINY = dataclasses.replace(
    AUGMENTED,
    name="tiny",
    build=functools.partial(on_a_small_base, dropout=0.0),
    settings=TrainingSettings(epochs=2, batch_size=32, optimizer=Optimizer.ADAM, learning_rate=0.01, seed=3),
)


def plain_convolutions(keras: Any, shape: Shape, classes: int) -> Any:
    """A recipe without batch norms, as VGG: what comes in large goes on large."""
    layers = keras.layers
    scaled = keras.Input(shape)
    x = layers.Conv2D(16, 3, activation="relu")(scaled)
    x = layers.Conv2D(16, 3, strides=2, activation="relu")(x)
    x = layers.Flatten()(layers.MaxPooling2D(2)(x))
    return keras.Model(scaled, layers.Dense(classes, activation="softmax", dtype="float32")(x), name="core")


def with_batch_norm(keras: Any, shape: Shape, classes: int) -> Any:
    """A recipe whose batch norm is trained."""
    layers = keras.layers
    scaled = keras.Input(shape)
    x = layers.BatchNormalization()(layers.Conv2D(8, 3, strides=2, use_bias=False)(scaled))
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(x))
    return keras.Model(scaled, layers.Dense(classes, activation="softmax", dtype="float32")(x), name="core")


NORMALIZED = dataclasses.replace(MNIST, name="normalized", build=with_batch_norm)

# Learns 180 digits, with nothing random in it either.
PLAIN = dataclasses.replace(
    MNIST,
    name="plain",
    build=plain_convolutions,
    settings=TrainingSettings(epochs=8, batch_size=32, optimizer=Optimizer.ADAM, learning_rate=0.003, seed=3),
)
# On the pixels of -124…151 that VGG and ResNet take.
CAFFE = dataclasses.replace(PLAIN, name="caffe", scaling=Scaling.CAFFE, input_shape=(28, 28, 3))
