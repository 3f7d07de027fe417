"""ResNet-8, the image-classification reference of MLPerf Tiny, for your images: 78,666 parameters at 10 classes.

C. Banbury et al., "MLPerf Tiny Benchmark", arXiv:2106.07597; `resnet_v1_eembc` of
github.com/mlcommons/tiny/benchmark/training/image_classification/keras_model.py. Its average pooling over 8x8 is
over the whole image here, which is the same for its 32x32 pixels and lets other sizes in. The weight decay of its
convolutions is left out, so that the loss is the cross-entropy that every other recipe reports.
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

        def convolution(x: Any, filters: int, size: int, strides: int) -> Any:
            return layers.Conv2D(
                channels(filters, alpha), size, strides=strides, padding="same", kernel_initializer="he_normal"
            )(x)

        def normalized(x: Any) -> Any:
            return layers.BatchNormalization()(x)

        scaled = keras.Input(shape)
        x = layers.ReLU()(normalized(convolution(scaled, 16, 3, 1)))
        for filters, strides in ((16, 1), (32, 2), (64, 2)):
            y = layers.ReLU()(normalized(convolution(x, filters, 3, strides)))
            y = normalized(convolution(y, filters, 3, 1))
            if strides > 1:
                x = convolution(x, filters, 1, strides)
            x = layers.ReLU()(layers.Add()([x, y]))
        x = layers.GlobalAveragePooling2D()(x)
        return keras.Model(
            scaled,
            layers.Dense(classes, activation="softmax", dtype="float32", kernel_initializer="he_normal")(x),
            name="core",
        )

    return build


RESNET8 = Recipe(
    name="resnet8",
    summary="your images, from scratch: ResNet-8 of MLPerf Tiny; 78,666 parameters at 10 classes",
    data=None,
    input_shape=(32, 32, 3),
    any_size=True,
    settings=TrainingSettings(
        epochs=50,
        batch_size=32,
        optimizer=Optimizer.ADAM,
        learning_rate=0.001,
        schedule=Schedule.COSINE,
        **FOR_ANY_FOLDER,
    ),
    build=builder(1.0),
    build_at=builder,
)
