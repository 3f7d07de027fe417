"""A small network for your images, trained from scratch: about 99,000 parameters at any size, or fewer (`--alpha`).

Four convolutions with batch normalization and pooling, then the average over the image, so that the number of
parameters does not grow with the image.
"""

from typing import Any

from edgecnn_training.networks.width import channels
from edgecnn_training.recipe import Build, Recipe, Shape
from edgecnn_training.schedule import Schedule
from edgecnn_training.settings import FOR_ANY_FOLDER, Optimizer, TrainingSettings


def builder(alpha: float) -> Build:
    """Return what builds the network with `alpha` times as many channels."""

    def build(keras: Any, shape: Shape, classes: int) -> Any:
        """Build the network: float32 `(N, *shape)` in 0…1 to probabilities `(N, classes)`."""
        layers = keras.layers
        stack = [keras.Input(shape)]
        for filters in (16, 32, 64, 128):
            stack += [
                layers.Conv2D(channels(filters, alpha), (3, 3), padding="same", use_bias=False),
                # Keras's 0.99 takes hundreds of steps to forget where it began; small folders give ten an epoch.
                layers.BatchNormalization(momentum=0.9),
                layers.ReLU(),
                # "same", so that an image of a few pixels can still go through all four.
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
