"""Casting defects on a frozen MobileNetV2: "transfer learning" of the notebook "Casting defects".

2,260,546 parameters, 2,562 of them trained.

What the notebook does and this recipe does not:

- It sends each image through the frozen base in each of 50 epochs. Nothing changes there, so here it goes through
  once, and the epochs train the head on what came out; the saved model is the whole network.
- It resizes photos of 300x300 to the 224x224 that the base was trained on inside the network: on every device, for
  every image, with an operator that NPUs do not have. Here the one pre-processing brings them to that size.
- It stops early by the validation loss, on images that its own shuffling mixes with those of training.
"""

from typing import Any

from edgecnn_training.history import Monitor
from edgecnn_training.networks.frozen_base import frozen_base
from edgecnn_training.recipe import Recipe, Shape
from edgecnn_training.recipes.casting import CASTING_CHANGES
from edgecnn_training.scaling import Scaling
from edgecnn_training.settings import Optimizer, TrainingSettings


def build(keras: Any, shape: Shape, classes: int) -> Any:
    """Build the notebook's network: float32 `(N, *shape)` in -1…1 to probabilities `(N, classes)`."""
    layers = keras.layers
    scaled = keras.Input(shape)
    x = frozen_base(keras, "MobileNetV2", shape)(scaled, training=False)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dropout(0.2)(x)
    return keras.Model(scaled, layers.Dense(classes, activation="softmax", dtype="float32")(x), name="core")


CASTING_MOBILENETV2 = Recipe(
    name="casting-mobilenetv2",
    summary="casting defects on a frozen MobileNetV2; 2,260,546 parameters, 2,562 trained",
    data="casting",
    classes=2,
    input_shape=(224, 224, 3),
    settings=TrainingSettings(
        epochs=50,
        batch_size=32,
        optimizer=Optimizer.ADAM,
        learning_rate=0.0001,
        monitor=Monitor.LOSS,
        patience=5,
        weights="imagenet",
    ),
    scaling=Scaling.SIGNED,
    augmentation=CASTING_CHANGES,
    base="MobileNetV2",
    build=build,
)
