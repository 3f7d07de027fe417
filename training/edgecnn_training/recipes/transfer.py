"""Any network of `keras.applications` as a frozen base for your images.

The notebooks "Casting defects", in an exercise, and "Chinese MNIST", under "fine tuning", do this.

`transfer` uses MobileNetV2, `transfer:ResNet50` uses ResNet50; the MobileNets come in several widths. The head is
that of `casting-mobilenetv2`: the average over the feature maps, dropout, one dense layer. Each base brings the
scaling it was trained with.
"""

import functools
from typing import Any

from edgecnn_runtime.choices import not_among
from edgecnn_runtime.errors import InputError
from edgecnn_training.networks.frozen_base import IMAGENET_WIDTHS, frozen_base
from edgecnn_training.recipe import Build, Recipe, Shape
from edgecnn_training.scaling import Scaling
from edgecnn_training.schedule import Schedule
from edgecnn_training.settings import FOR_ANY_FOLDER, Optimizer, TrainingSettings

# The networks of keras.applications by the scaling that their `preprocess_input` does.
_BASES: dict[Scaling, str] = {
    Scaling.CAFFE: "VGG16 VGG19 ResNet50 ResNet101 ResNet152",
    Scaling.SIGNED: "MobileNet MobileNetV2 ResNet50V2 ResNet101V2 ResNet152V2 InceptionV3 InceptionResNetV2 "
    "Xception NASNetMobile NASNetLarge",
    Scaling.TORCH: "DenseNet121 DenseNet169 DenseNet201",
    Scaling.NONE: "MobileNetV3Small MobileNetV3Large EfficientNetB0 EfficientNetB1 EfficientNetB2 EfficientNetB3 "
    "EfficientNetB4 EfficientNetB5 EfficientNetB6 EfficientNetB7 EfficientNetV2B0 EfficientNetV2B1 EfficientNetV2B2 "
    "EfficientNetV2B3 EfficientNetV2S EfficientNetV2M EfficientNetV2L ConvNeXtTiny ConvNeXtSmall ConvNeXtBase "
    "ConvNeXtLarge ConvNeXtXLarge",
}
SCALING_OF_BASE = {name: scaling for scaling, names in _BASES.items() for name in names.split()}

PREFIX = "transfer:"


def transfer_to(base: str) -> Recipe:
    """Return the recipe for a base.

    Raises:
        InputError: `keras.applications` has no such network.

    >>> transfer_to("ResNet50").name
    'transfer:ResNet50'
    """
    if base not in SCALING_OF_BASE:
        raise InputError(not_among("backbone", base, SCALING_OF_BASE))
    return _recipe(f"{PREFIX}{base}", base)


def _recipe(name: str, base: str) -> Recipe:
    return Recipe(
        name=name,
        summary=f"your images on a frozen {base}, or another --backbone; --unfreeze trains its top too",
        data=None,
        input_shape=(224, 224, 3),
        any_size=True,
        settings=TrainingSettings(
            epochs=30,
            batch_size=32,
            optimizer=Optimizer.ADAM,
            learning_rate=0.001,
            schedule=Schedule.COSINE,
            **FOR_ANY_FOLDER,
            weights="imagenet",
        ),
        scaling=SCALING_OF_BASE[base],
        base=base,
        build=_builder(base),
        build_at=functools.partial(_builder, base) if base in IMAGENET_WIDTHS else None,
    )


def _builder(base: str, alpha: float = 1.0) -> Build:
    def build(keras: Any, shape: Shape, classes: int) -> Any:
        """Build the network: float32 `(N, *shape)`, scaled, to probabilities `(N, classes)`."""
        layers = keras.layers
        scaled = keras.Input(shape)
        features = frozen_base(keras, base, shape, alpha=alpha)(scaled, training=False)
        x = layers.GlobalAveragePooling2D()(features)
        x = layers.Dropout(0.2)(x)
        return keras.Model(scaled, layers.Dense(classes, activation="softmax", dtype="float32")(x), name="core")

    return build


TRANSFER = _recipe("transfer", "MobileNetV2")
