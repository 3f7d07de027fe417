"""A convolution of a network and what follows it, one step at a time: filter, detect, condense."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_training.explain.recorded_layers import LayerCall
from edgecnn_training.networks.network_layers import layer_kind

# Their kernels belong to one filter each; those of separable and transposed convolutions do not.
_CONVOLUTIONS = frozenset({"Conv2D", "DepthwiseConv2D"})

# What may follow a convolution within its block, and what Holbrook calls it.
_STEPS = {
    "BatchNormalization": "Normalise",
    "Activation": "Detect",
    "ReLU": "Detect",
    "LeakyReLU": "Detect",
    "ELU": "Detect",
    "PReLU": "Detect",
    "MaxPooling2D": "Condense",
    "AveragePooling2D": "Condense",
}


@dataclass(frozen=True, eq=False)
class BlockStep:
    """One operation, and what it gives."""

    title: str  # "Detect: relu"
    values: NDArray[np.float32]  # (height, width, filters)


@dataclass(frozen=True, eq=False)
class ConvBlock:
    """A convolution with what follows it, for one image."""

    layer: str
    read: NDArray[np.float32]  # (height, width, channels), what the convolution reads
    kernels: NDArray[np.float32]  # (rows, columns, channels, filters)
    steps: tuple[BlockStep, ...]  # the filter first

    @property
    def strongest(self) -> NDArray[np.int64]:
        """The filters in the order of their largest value at the end of the block."""
        return np.argsort(-self.steps[-1].values.max(axis=(0, 1)), kind="stable")


def is_convolution(call: LayerCall) -> bool:
    """Whether a layer can be shown as the head of a block."""
    return type(call.layer).__name__ in _CONVOLUTIONS


def conv_block(calls: tuple[LayerCall, ...], convolution: LayerCall) -> ConvBlock:
    """Split a convolution: its sums, its activation, and the layers behind it up to the pooling.

    Args:
        calls: of the whole network, for one image.
        convolution: one of them, for which `is_convolution` holds.
    """
    layer = convolution.layer
    bare = _without_activation(layer)
    steps = [BlockStep(f"Filter: {layer_kind(bare)}", np.asarray(bare(convolution.read), np.float32)[0])]
    activation = layer.get_config()["activation"]
    if activation not in (None, "linear"):
        steps.append(BlockStep(f"Detect: {activation}", convolution.output))
    given = convolution.given
    for call in calls[calls.index(convolution) + 1 :]:
        # Dropout gives what it reads when nothing is trained, and so does not end the block.
        if call.read is not given or call.given is given:
            continue
        verb = _STEPS.get(type(call.layer).__name__)
        if verb is None:
            break
        given = call.given
        steps.append(BlockStep(f"{verb}: {layer_kind(call.layer)}", call.output))
        if verb == "Condense":
            break
    return ConvBlock(layer.name, np.asarray(convolution.read, np.float32)[0], _kernels(layer), tuple(steps))


def _without_activation(layer: Any) -> Any:
    bare = type(layer).from_config({**layer.get_config(), "activation": "linear"})
    bare.build(layer.input.shape)
    bare.set_weights(layer.get_weights())
    return bare


def _kernels(layer: Any) -> NDArray[np.float32]:
    kernels = np.asarray(layer.get_weights()[0], np.float32)
    if type(layer).__name__ == "DepthwiseConv2D":
        # (rows, columns, channels, multiplier): each filter reads one channel.
        return kernels.reshape(*kernels.shape[:2], 1, -1)
    return kernels
