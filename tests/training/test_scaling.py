"""The scaling in the graph against the `preprocess_input` of keras.applications."""

import keras
import numpy as np
import pytest

from edgecnn_training.recipes import get_recipe
from edgecnn_training.recipes.transfer import SCALING_OF_BASE
from edgecnn_training.scaling import Scaling, scaling_layer

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), np.uint8)

# One of each family, and where its `preprocess_input` stands.
PREPROCESSING = {
    "VGG16": "vgg16",
    "ResNet50": "resnet",
    "ResNet50V2": "resnet_v2",
    "MobileNet": "mobilenet",
    "MobileNetV2": "mobilenet_v2",
    "MobileNetV3Small": "mobilenet_v3",
    "InceptionV3": "inception_v3",
    "InceptionResNetV2": "inception_resnet_v2",
    "Xception": "xception",
    "NASNetMobile": "nasnet",
    "DenseNet121": "densenet",
    "EfficientNetB0": "efficientnet",
    "EfficientNetV2B0": "efficientnet_v2",
    "ConvNeXtTiny": "convnext",
}


@pytest.mark.parametrize(("base", "module"), PREPROCESSING.items())
def test_a_base_gets_what_it_was_trained_with(base: str, module: str) -> None:
    expected = getattr(keras.applications, module).preprocess_input(PIXELS.astype(np.float32))
    scaled = np.asarray(scaling_layer(keras, SCALING_OF_BASE[base])(PIXELS))
    if SCALING_OF_BASE[base] is Scaling.CAFFE:
        # RGB here: the first kernel is turned instead.
        expected = expected[..., ::-1]
    np.testing.assert_allclose(scaled, expected, atol=2e-5)


def test_unit_is_0_to_1() -> None:
    scaled = np.asarray(scaling_layer(keras, Scaling.UNIT)(PIXELS))
    np.testing.assert_allclose(scaled, PIXELS / 255, atol=1e-6)


def test_every_base_is_a_network_of_keras() -> None:
    assert [name for name in SCALING_OF_BASE if not hasattr(keras.applications, name)] == []
    assert get_recipe("transfer").scaling is Scaling.SIGNED
