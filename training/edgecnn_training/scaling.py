"""How pixels 0…255 are scaled in front of a network, as `keras.applications` names it."""

import enum
from typing import Any


class Scaling(enum.StrEnum):
    """What a network expects; each becomes one Rescaling layer in front of it, RGB in."""

    UNIT = "unit"  # 0…1
    SIGNED = "signed"  # -1…1, Keras's mode "tf": MobileNet, Inception, ResNet V2
    CAFFE = "caffe"  # the mean of ImageNet taken off: VGG, ResNet
    TORCH = "torch"  # 0…1, then mean and standard deviation of ImageNet: DenseNet
    NONE = "none"  # 0…255; EfficientNet, ConvNeXt and MobileNetV3 scale inside


# Of ImageNet, in RGB order: keras/src/applications/imagenet_utils.py, `_preprocess_numpy_input`.
_CAFFE_MEAN = (123.68, 116.779, 103.939)
_TORCH_MEAN, _TORCH_DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

# pixels * scale + offset
_SCALE_AND_OFFSET: dict[Scaling, tuple[Any, Any]] = {
    Scaling.UNIT: (1 / 255, 0.0),
    Scaling.SIGNED: (1 / 127.5, -1.0),
    Scaling.CAFFE: (1.0, [-mean for mean in _CAFFE_MEAN]),
    Scaling.TORCH: (
        [1 / (255 * deviation) for deviation in _TORCH_DEVIATION],
        [-mean / deviation for mean, deviation in zip(_TORCH_MEAN, _TORCH_DEVIATION, strict=True)],
    ),
    Scaling.NONE: (1.0, 0.0),
}


def scaling_layer(keras: Any, scaling: Scaling) -> Any:
    """Return the layer `scaling`, uint8 or float32 pixels 0…255 `(N, height, width, channels)` to float32.

    Caffe's models want the channels as BGR. That is not done here, where a device would do it for each image: the
    first kernel of such a base is turned round once instead, when its weights are loaded (`pretrained.py`), and a
    network that is trained from scratch has no order to begin with.
    """
    scale, offset = _SCALE_AND_OFFSET[scaling]
    return keras.layers.Rescaling(scale, offset=offset, name="scaling", dtype="float32")
