"""Handwritten digits: the notebook "CNN in Keras, MNIST", 1,199,882 parameters.

What the notebook does and this recipe does not:

- It chooses nothing and yet validates on the test images, so no score of it is a hold-out score. Here a tenth of
  the training images is kept for validation, and the test images are touched once, at the end.
- It shows SGD(0.01) above a run that printed 0.9915. The printed losses are those of Adadelta(1.0) with batch 128,
  which its last cell compiles: the default here. The run that was shown is `--optimizer sgd --learning-rate 0.01
  --batch-size 32`.
- Its first printed run starts from trained weights (epoch 1 prints what epoch 2 gives); a run here starts fresh.
- It scales the pixels in the notebook, so every user of the saved model must know to divide by 255. Here the
  scaling is in the graph.
- `predict_classes`, `np_utils` and the history key `acc` are gone from Keras; one-hot labels are not needed.
"""

from typing import Any

from edgecnn_training.recipe import Recipe, Shape
from edgecnn_training.settings import Optimizer, TrainingSettings


def build(keras: Any, shape: Shape, classes: int) -> Any:
    """Build the notebook's network: float32 `(N, *shape)` in 0…1 to probabilities `(N, classes)`."""
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input(shape),
            layers.Conv2D(32, (3, 3), activation="relu"),
            layers.Conv2D(64, (3, 3), activation="relu"),
            layers.MaxPooling2D((2, 2)),
            layers.Dropout(0.25),
            layers.Flatten(),
            layers.Dense(128, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(classes, activation="softmax", dtype="float32"),
        ],
        name="core",
    )


MNIST = Recipe(
    name="mnist",
    summary="handwritten digits: two convolutions, max-pooling, one dense layer; 1,199,882 parameters",
    data="mnist",
    classes=10,
    input_shape=(28, 28, 1),
    settings=TrainingSettings(epochs=10, batch_size=128, optimizer=Optimizer.ADADELTA, learning_rate=1.0),
    build=build,
)
