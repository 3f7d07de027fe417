"""Sign digits 0 to 5: the functional model of the notebook "CNN, sign language digits", 1,310 parameters.

What the notebook does and this recipe does not:

- It validates on the test images. Here a tenth of the training images is kept for validation.
- It never shuffles. That goes unnoticed with a file in mixed order; with one sorted by class each batch holds one
  or two classes. Here each epoch has its own order.
- Its printed run continues trained weights: epoch 1 prints 0.408, far above the sixth of chance.
- It takes for the answer the first class above 0.5, which fails where there is none. Here it is the most probable
  class.
- The text speaks of binary cross-entropy; the code uses the categorical one, and so does this recipe.
"""

from typing import Any

from edgecnn_training.recipe import Recipe, Shape
from edgecnn_training.settings import Optimizer, TrainingSettings


def build(keras: Any, shape: Shape, classes: int) -> Any:
    """Build the notebook's network: float32 `(N, *shape)` in 0…1 to probabilities `(N, classes)`."""
    layers = keras.layers
    scaled = keras.Input(shape)
    x = layers.Conv2D(8, (4, 4), padding="same")(scaled)
    x = layers.ReLU()(x)
    x = layers.MaxPooling2D((8, 8), strides=(8, 8), padding="same")(x)
    x = layers.Conv2D(16, (2, 2), padding="same")(x)
    x = layers.ReLU()(x)
    x = layers.MaxPooling2D((4, 4), strides=(4, 4), padding="same")(x)
    x = layers.Flatten()(x)
    return keras.Model(scaled, layers.Dense(classes, activation="softmax", dtype="float32")(x), name="core")


SIGNS = Recipe(
    name="signs",
    summary="sign digits 0 to 5: two convolutions with wide pooling; 1,310 parameters",
    data="signs",
    classes=6,
    input_shape=(64, 64, 3),
    settings=TrainingSettings(epochs=100, batch_size=64, optimizer=Optimizer.ADAM, learning_rate=0.001),
    build=build,
)
