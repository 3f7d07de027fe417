"""The trained network rebuilt for a device: static shapes, no training-only parts."""

import math
from typing import Any

import keras


class StaticFlatten(keras.layers.Layer):  # type: ignore[misc]
    """Flatten with sizes known beforehand, `(N, …) -> (N, n)`.

    Keras's own Flatten asks for the batch size at run time, which becomes SHAPE, STRIDED_SLICE and PACK in TFLite
    (micro-controllers and NPUs have none of them) and Shape, Gather, Slice and Concat in ONNX. `reshape(x, (-1, n))`
    has none, and the graph can still be resized to another batch.
    """

    def call(self, inputs: Any) -> Any:
        """Reshape to `(-1, n)`."""
        return keras.ops.reshape(inputs, (-1, math.prod(inputs.shape[1:])))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, int]:
        """Keep the batch, multiply the rest."""
        sizes = [size for size in input_shape[1:] if size is not None]
        return input_shape[0], math.prod(sizes)


def deployment_graph(model: keras.Model, *, batch: int | None) -> keras.Model:
    """Rebuild a trained model with a fixed batch (TFLite) or an open one (ONNX: None), weights copied over.

    Args:
        model: pixels `(N, height, width, channels)` float32 0…255 in, probabilities `(N, classes)` out.
        batch: the batch size of the input, named `pixels`.
    """
    pixels = keras.Input(batch_shape=(batch, *model.input_shape[1:]), name="pixels")
    rebuilt = keras.models.clone_model(model, input_tensors=pixels, clone_function=_clone_layer, recursive=True)
    rebuilt.set_weights(model.get_weights())
    return rebuilt


def _clone_layer(layer: Any) -> Any:
    if isinstance(layer, keras.layers.Flatten):
        return StaticFlatten(name=layer.name)
    clone = layer.__class__.from_config(layer.get_config())
    # Step by step: neither TFLite's converter nor ONNX's makes a file of Keras's loops that an interpreter opens, and
    # the steps, whose weights are in the file once, have integer forms. Also inside Bidirectional and TimeDistributed.
    for inner in clone._flatten_layers() if isinstance(clone, keras.layers.Layer) else ():
        if isinstance(inner, keras.layers.RNN):
            inner.unroll = True
    return clone
