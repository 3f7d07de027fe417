"""A network on a frozen, pretrained base: built, and split into base and head.

Nothing changes in a frozen base, so without augmentation an image gives the same features in each epoch: it goes
through the base once, and the epochs train the head on the features.
"""

from typing import Any

from edgecnn_training.recipe import Shape

# The networks of `keras.applications` that come in several widths, and the widths that it has ImageNet weights for.
IMAGENET_WIDTHS: dict[str, tuple[float, ...]] = {
    "MobileNet": (0.25, 0.5, 0.75, 1.0),
    "MobileNetV2": (0.35, 0.5, 0.75, 1.0, 1.3, 1.4),
    "MobileNetV3Small": (0.75, 1.0),
    "MobileNetV3Large": (0.75, 1.0),
}


def frozen_base(keras: Any, name: str, shape: Shape, *, alpha: float = 1.0, pooling: str | None = None) -> Any:
    """Return a network of `keras.applications` without its top, frozen, with random weights.

    Call it with `training=False`, so that batch norm stays in inference mode whatever is unfrozen later.

    Args:
        keras: the module `keras` or `tf_keras`.
        name: as in `keras.applications`, such as "MobileNetV2".
        shape: of its images.
        alpha: its width; 1 where it has one width.
        pooling: "avg" for features `(N, n)`; None for feature maps.
    """
    options: dict[str, Any] = {"pooling": pooling}
    if alpha != 1:
        options["alpha"] = alpha
    base = getattr(keras.applications, name)(include_top=False, weights=None, input_shape=shape, **options)
    base.trainable = False
    return base


def base_of(keras: Any, core: Any) -> Any:
    """Return the base inside the network of a recipe."""
    return next(layer for layer in core.layers if isinstance(layer, keras.Model))


def unfreeze_top(keras: Any, base: Any, count: int) -> None:
    """Let the last `count` layers of a frozen base learn, but for batch norm, and no others.

    A batch norm among them keeps its scale and offset too, beside the statistics that `training=False` keeps: they
    were learnt together (keras.io, "Image classification via fine-tuning with EfficientNet", on unfreezing layers).
    A model that was compiled before has to be compiled again.

    Args:
        keras: the module `keras`.
        base: of `frozen_base`.
        count: 0…the number of its layers.
    """
    # A layer learns where it and the model around it may.
    base.trainable = True
    kept = len(base.layers) - count
    for position, layer in enumerate(base.layers):
        layer.trainable = position >= kept and not isinstance(layer, keras.layers.BatchNormalization)


def split_at_base(keras: Any, network: Any) -> tuple[Any, Any]:
    """Split a built network; the parts share its layers, so what the head learns the network knows.

    Args:
        keras: the module `keras`.
        network: of `build_network`, for a recipe with a base.

    Returns:
        A model from pixels 0…255 to features `(N, n)`, and one from features to probabilities `(N, classes)`.
    """
    core = network.get_layer("core")
    behind = core.layers[core.layers.index(base_of(keras, core)) + 1 :]
    head = [layer for layer in behind if not isinstance(layer, keras.layers.GlobalAveragePooling2D)]
    to_features = keras.Model(core.input, head[0].input)
    pixels = keras.Input(network.input_shape[1:])
    extractor = keras.Model(pixels, to_features(network.get_layer("scaling")(pixels)), name="extractor")
    features = outcome = keras.Input(extractor.output_shape[1:])
    for layer in head:
        outcome = layer(outcome)
    return extractor, keras.Model(features, outcome, name="head")
