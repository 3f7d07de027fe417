"""How a network wants its pixels: what stands in front of it, so that nobody who uses it has to know."""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from edgecnn_runtime.errors import InputError
from edgecnn_runtime.pixel_scaling import PixelScaling

if TYPE_CHECKING:
    import keras


def scaling_of_function(function: Callable[[Any], Any]) -> PixelScaling:
    """Find out what a function of `keras.applications` does to pixels, by what it makes of black and of each colour.

    Args:
        function: of float64 `(N, 1, 1, 3)`, 0…255, RGB.

    Raises:
        ValueError: it does something else than scaling each channel and perhaps reversing them.
    """
    # Twice as bright again, so that a function that is not linear is found out.
    colours = np.concatenate([np.zeros((1, 3)), np.eye(3) * 255, np.eye(3) * 127.5])
    outcome = np.asarray(function(colours.reshape(-1, 1, 1, 3).copy())).reshape(-1, 3)
    offset = outcome[0]
    slopes = (outcome[1:4] - offset) / 255  # of each outcome, by each colour
    bgr = bool(np.abs(slopes[[0, 2], [2, 0]]).min() > 1e-9)
    slopes = slopes[:, ::-1] if bgr else slopes
    offset = offset[::-1] if bgr else offset
    expected = np.concatenate([[offset], offset + 255 * slopes, offset + 127.5 * slopes])
    found = outcome[:, ::-1] if bgr else outcome
    if np.abs(slopes - np.diag(np.diag(slopes))).max() > 1e-9 or not np.allclose(expected, found):
        raise ValueError(f"{function}: expected a scaling of each channel, got something else")
    return PixelScaling(scale=_compact(np.diag(slopes)), offset=_compact(offset), bgr=bgr)


def scaled(pixels: Any, scaling: PixelScaling, *, channels: int) -> Any:
    """Put a scaling behind the Keras tensor `pixels`, float32 `(N, height, width, channels)`, 0…255.

    Raises:
        InputError: a scaling of three channels for a network of one.
    """
    import keras

    if scaling.per_image:
        # `tf.image.per_image_standardization` divides by max(deviation, N ** -0.5), this by sqrt(variance + 1 / N): the
        # same to one part in a million for what is a picture, and an image of one colour becomes 0 by either.
        epsilon = 1 / math.prod(pixels.shape[1:])
        return keras.layers.LayerNormalization(
            axis=[1, 2, 3], epsilon=epsilon, center=False, scale=False, name="scaling", dtype="float32"
        )(pixels)
    for values in (scaling.scale, scaling.offset):
        if len(values) not in (1, channels):
            raise InputError(
                f"scaling: expected one number, or one for each of the {channels} channels, got {len(values)}; "
                "give --scale for a grey network"
            )
    scale, offset = (values[0] if len(values) == 1 else list(values) for values in (scaling.scale, scaling.offset))
    return keras.layers.Rescaling(scale, offset=offset, name="scaling", dtype="float32")(pixels)


def turned_to_rgb(network: "keras.Model") -> bool:
    """Reverse the channels of the first kernels of a network that takes BGR, so that it takes RGB at no cost.

    Returns:
        Whether that could be done: the image is read by one convolution, perhaps through padding, and by nothing else.
    """
    convolution = _first_convolution(network)
    if convolution is None:
        return False
    probe = np.random.default_rng(0).uniform(-1, 1, (2, *network.input_shape[1:])).astype(np.float32)
    expected = np.asarray(network(probe[..., ::-1], training=False))
    kernel, *rest = convolution.get_weights()
    convolution.set_weights([np.ascontiguousarray(kernel[:, :, ::-1]), *rest])
    if np.allclose(np.asarray(network(probe, training=False)), expected, rtol=1e-4, atol=1e-5):
        return True
    # A layer that is read in two places, say.
    convolution.set_weights([kernel, *rest])
    return False


def exchange_of_channels() -> Any:
    """Return a layer from RGB to BGR, for networks that cannot be turned: a convolution, which every device has."""
    import keras

    layer = keras.layers.Conv2D(3, 1, use_bias=False, trainable=False, name="bgr", dtype="float32")
    layer.build((None, None, None, 3))
    layer.set_weights([np.eye(3, dtype=np.float32)[::-1].reshape(1, 1, 3, 3)])
    return layer


def _first_convolution(network: "keras.Model") -> Any:
    """Return the only layer that reads the image, if it is a Conv2D; what is between them may be padding."""
    import keras

    readers = _readers(network)
    layer: Any = network.layers[0]
    while True:
        if isinstance(layer, keras.layers.Conv2D) and layer.groups == 1:
            return layer
        if isinstance(layer, keras.Model):
            return _first_convolution(layer)
        following = readers.get(layer.name, [])
        if not isinstance(layer, keras.layers.InputLayer | keras.layers.ZeroPadding2D) or len(following) != 1:
            return None
        layer = network.get_layer(following[0])


def _readers(network: "keras.Model") -> dict[str, list[str]]:
    """Return, by the name of each layer, the names of those that read it."""
    import keras

    layers = network.get_config()["layers"]
    if isinstance(network, keras.Sequential):
        names = [layer.name for layer in network.layers]
        return {name: [behind] for name, behind in itertools.pairwise(names)}
    readers: dict[str, list[str]] = {}
    for layer in layers:
        for node in layer["inbound_nodes"]:
            for name in _read_by(node):
                readers.setdefault(name, []).append(layer["name"])
    return readers


def _read_by(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if "keras_history" in node:
            yield node["keras_history"][0]
        else:
            for value in node.values():
                yield from _read_by(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _read_by(value)


def _compact(values: Any) -> tuple[float, ...]:
    """Return values without the noise of arithmetic; one where all are the same."""
    shortest = tuple(float(f"{value:.12g}") + 0.0 for value in values)
    return shortest[:1] if len(set(shortest)) == 1 else shortest
