"""Chinese numerals: the notebook "Chinese MNIST", 252,895 parameters.

What the notebook does and this recipe does not:

- Its early stopping watches the training loss with a patience of 5 over 5 epochs and so can never fire. Here it
  watches the validation images, which matters as soon as `--epochs` is larger.
- Its augmentation (`ImageDataGenerator`, shear 0.3 and zoom 0.3) is made and never used; used, it would divide by
  255 what is in 0…1 already. `--augment` turns it on. ImageDataGenerator reads a shear of 0.3 as 0.3 degrees, which
  nobody would see; here 0.3 is the slope.
- It prints the scores of the test images as "best validation loss".
"""

from typing import Any

from edgecnn_training.augmentation import Augmentation
from edgecnn_training.recipe import Recipe, Shape
from edgecnn_training.schedule import Schedule
from edgecnn_training.settings import Optimizer, TrainingSettings


def build(keras: Any, shape: Shape, classes: int) -> Any:
    """Build the notebook's network: float32 `(N, *shape)` in 0…1 to probabilities `(N, classes)`."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(16, 3, activation="relu", padding="same"),
            layers.Conv2D(16, 3, activation="relu", padding="same"),
            layers.MaxPooling2D(2),
            layers.Dropout(0.2),
            layers.Conv2D(16, 3, activation="relu", padding="same"),
            layers.Conv2D(16, 3, activation="relu", padding="same"),
            layers.Dropout(0.2),
            layers.Flatten(),
            layers.Dense(classes, activation="softmax", dtype="float32"),
        ],
        name="core",
    )


CHINESE_MNIST = Recipe(
    name="chinese-mnist",
    summary="Chinese numerals: four convolutions, dropout, one dense layer; 252,895 parameters",
    data="chinese-mnist",
    classes=15,
    input_shape=(64, 64, 1),
    settings=TrainingSettings(
        epochs=5,
        batch_size=32,
        optimizer=Optimizer.ADAM,
        learning_rate=0.001,
        schedule=Schedule.EXPONENTIAL,
        patience=5,
        validation_fraction=0.2,
    ),
    augmentation=Augmentation(shear=0.3, zoom_in=0.3, zoom_out=0.3),
    build=build,
)
