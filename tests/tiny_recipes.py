"""A recipe on a small frozen base, with nothing random in it, so that two ways to train it can be compared."""

from typing import Any

from edgecnn_training.augmentation import Augmentation
from edgecnn_training.recipe import Recipe, Shape, register
from edgecnn_training.settings import Optimizer, Settings


def build(keras: Any, shape: Shape, classes: int) -> Any:
    """Build the form of casting-mobilenetv2: its batch norm stays in inference mode, and it has no dropout."""
    layers = keras.layers
    base = keras.Sequential(
        [keras.Input(shape), layers.Conv2D(8, 3, strides=2), layers.BatchNormalization(), layers.ReLU()], name="small"
    )
    base.trainable = False
    scaled = keras.Input(shape)
    x = layers.GlobalAveragePooling2D()(base(scaled, training=False))
    return keras.Model(scaled, layers.Dense(classes, activation="softmax", dtype="float32")(x), name="core")


TINY = register(
    Recipe(
        name="tiny",
        summary="for tests",
        data=None,
        input_shape=(28, 28, 1),
        settings=Settings(epochs=2, batch_size=32, optimizer=Optimizer.ADAM, learning_rate=0.01, seed=3),
        build=build,
        augmentation=Augmentation(rotation=0.05, zoom_in=0.1),
        base="small",
    )
)
