"""Electronic symbols: the own network of the notebook "Electronic symbols", 588,067 parameters.

What the notebook does and this recipe does not:

- `Convolution2D(32, 3, 3)` is Keras 1 for a 3x3 kernel; today it means kernel 3 with strides of 3. Here it is 3x3.
- It subtracts the ImageNet means outside the model, in BGR order. Here that is in the graph; the order is left RGB,
  which is the same to a network that starts from random weights.
- It writes the class names down by hand, and plots the mean-subtracted images.
"""

from typing import Any

from edgecnn_training.recipe import Recipe, Shape
from edgecnn_training.scaling import Scaling
from edgecnn_training.settings import Optimizer, TrainingSettings


def build(keras: Any, shape: Shape, classes: int) -> Any:
    """Build the notebook's network: float32 `(N, *shape)`, means subtracted, to probabilities `(N, classes)`."""
    layers = keras.layers
    stack = [keras.Input(shape)]
    for filters in (32, 64, 128):
        for _ in range(2):
            stack += [layers.ZeroPadding2D((1, 1)), layers.Conv2D(filters, (3, 3), activation="relu")]
        stack.append(layers.MaxPooling2D((2, 2), strides=(2, 2)))
    return keras.Sequential(
        [*stack, layers.Flatten(), layers.Dense(classes, activation="softmax", dtype="float32")],
        name="core",
    )


SYMBOLS = Recipe(
    name="symbols",
    summary="electronic symbols: three pairs of convolutions, one dense layer; 588,067 parameters",
    data="symbols",
    classes=3,
    input_shape=(224, 224, 3),
    settings=TrainingSettings(epochs=20, batch_size=12, optimizer=Optimizer.ADAM, learning_rate=0.001),
    scaling=Scaling.CAFFE,
    build=build,
)
