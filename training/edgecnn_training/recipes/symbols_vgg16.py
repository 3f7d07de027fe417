"""Electronic symbols on a frozen VGG16: "Build, compile and fit VGG16" of the notebook "Electronic symbols".

14,716,227 parameters, 1,539 of them trained.

The notebook sends each image through the frozen base in each epoch; here it goes through once, and the epochs train
the head on what came out. The saved model is the whole network.
"""

from typing import Any

from edgecnn_training.networks.frozen_base import frozen_base
from edgecnn_training.recipe import Recipe, Shape
from edgecnn_training.scaling import Scaling
from edgecnn_training.settings import Optimizer, TrainingSettings


def build(keras: Any, shape: Shape, classes: int) -> Any:
    """Build the notebook's network: float32 `(N, *shape)`, means subtracted, to probabilities `(N, classes)`."""
    scaled = keras.Input(shape)
    features = frozen_base(keras, "VGG16", shape, pooling="avg")(scaled, training=False)
    return keras.Model(
        scaled, keras.layers.Dense(classes, activation="softmax", dtype="float32")(features), name="core"
    )


SYMBOLS_VGG16 = Recipe(
    name="symbols-vgg16",
    summary="electronic symbols on a frozen VGG16; 14,716,227 parameters, 1,539 trained",
    data="symbols",
    classes=3,
    input_shape=(224, 224, 3),
    settings=TrainingSettings(
        epochs=10, batch_size=12, optimizer=Optimizer.ADAM, learning_rate=0.001, weights="imagenet"
    ),
    scaling=Scaling.CAFFE,
    base="VGG16",
    build=build,
)
