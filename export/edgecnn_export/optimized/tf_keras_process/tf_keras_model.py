"""A flat network as a tf_keras model."""

import inspect
from typing import Any

import numpy as np
import tf_keras
from numpy.typing import NDArray

from edgecnn_export.optimized.flat_network import PIXELS, FlatLayer, FlatNetwork
from edgecnn_runtime.errors import InputError

# How far a probability of the tf_keras model may lie from the Keras model's; both compute in float32, in other orders.
_EQUAL_WITHIN = 1e-3
# Options of Keras 3 that tf_keras calls otherwise.
_RENAMED = {("LeakyReLU", "negative_slope"): "alpha"}
# Options that say how a layer begins, learns or is computed, none of which matters for a trained float32 layer.
_LEFT_OUT = ("name", "dtype", "trainable", "data_format", "batch_size", "seed")
_LEFT_OUT_ENDS = ("_initializer", "_regularizer", "_constraint")


def build_tf_keras_model(network: FlatNetwork) -> Any:
    """Build the tf_keras model of a flat network, weights included, with the same layer names.

    Args:
        network: layers of kinds that tf_keras has.

    Raises:
        InputError: a layer that tf_keras does not have or cannot make.
    """
    pixels = tf_keras.Input(network.shape, name=PIXELS)
    tensors = {PIXELS: pixels}
    for layer in network.layers:
        inputs = [tensors[name] for name in layer.inputs]
        made = _make(layer)
        try:
            tensors[layer.name] = made(inputs if len(inputs) > 1 else inputs[0])
            made.set_weights(layer.weights)
        # tf_keras raises whatever its layers raise.
        except Exception as error:
            raise _unknown(layer, error) from error
        if layer.frozen:
            made.trainable = False
    return tf_keras.Model(pixels, tensors[network.layers[-1].name])


def require_equal(tf_keras_model: Any, images: NDArray[np.float32], expected: NDArray[np.float32]) -> None:
    """Make sure that a tf_keras model computes what the Keras model computes.

    Args:
        tf_keras_model: of `build_tf_keras_model`.
        images: `(N, height, width, channels)`, 0…255.
        expected: what the Keras model gives for them, `(N, classes)`.

    Raises:
        InputError: it does not.
    """
    difference = float(np.abs(tf_keras_model.predict_on_batch(images) - expected).max())
    if not difference <= _EQUAL_WITHIN:
        raise InputError(
            f"model: expected layers that compute the same in tf_keras as in Keras, got probabilities that differ by "
            f"{difference:.2g}; this model cannot be optimized"
        )


def _make(layer: FlatLayer) -> Any:
    kind = getattr(tf_keras.layers, layer.kind, None)
    if kind is None:
        raise _unknown(layer)
    accepted = inspect.signature(kind.__init__).parameters
    config = {
        renamed: value
        for key, value in layer.config.items()
        if key not in _LEFT_OUT and not key.endswith(_LEFT_OUT_ENDS)
        if (renamed := _RENAMED.get((layer.kind, key), key)) in accepted
    }
    if any(isinstance(value, dict) for value in config.values()):
        raise _unknown(layer)
    try:
        return kind(**config, name=layer.name)
    except (TypeError, ValueError) as error:
        raise _unknown(layer, error) from error


def _unknown(layer: FlatLayer, error: Exception | None = None) -> InputError:
    said = f"; tf_keras says: {' '.join(str(error).split())[:200]}" if error else ""
    return InputError(
        f"{layer.name} ({layer.kind}): expected layers that tf_keras has too, got one that it cannot hold{said}; "
        "export this model without --qat, --prune and --cluster"
    )
