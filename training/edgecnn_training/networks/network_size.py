"""How large a network is: its parameters, and the multiply-accumulates of one image."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

# Layers whose whole kernel is multiplied once at each position of the output.
_COUNTED = ("Conv2D", "Dense", "DepthwiseConv2D")


@dataclass(frozen=True)
class NetworkSize:
    """The size of a built network."""

    parameters: int
    trainable: int  # parameters that training changes
    multiply_accumulates: int  # for one image, of convolutions and dense layers; the rest counts 0


def size_of(model: Any) -> NetworkSize:
    """Count a built Keras model for images of one size.

    Raises:
        ValueError: it has a layer with a kernel whose multiply-accumulates are not known.
    """
    return NetworkSize(
        parameters=_values(model.weights),
        trainable=_values(model.trainable_weights),
        multiply_accumulates=sum(map(_multiply_accumulates, _layers(model))),
    )


def _values(weights: Any) -> int:
    return sum(math.prod(map(int, weight.shape)) for weight in weights)


def _layers(model: Any) -> Iterator[Any]:
    """Yield the layers of a model and of the models in it."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _layers(layer)
        else:
            yield layer


def _multiply_accumulates(layer: Any) -> int:
    kernel = getattr(layer, "kernel", None)
    if kernel is None:
        return 0
    if type(layer).__name__ not in _COUNTED or getattr(layer, "data_format", "channels_last") != "channels_last":
        raise ValueError(f"{layer.name}: expected a dense layer or a convolution, got {type(layer).__name__}")
    positions: tuple[int, ...] = layer.output.shape[1:-1]
    return math.prod(positions) * math.prod(map(int, kernel.shape))
