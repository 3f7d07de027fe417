"""What an engine's file tells of a third-party model, and what it is told: how the model is used.

Files of edgecnn need none of it, so that what opens them imports none of it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.backends.interface import TensorFacts


@dataclass(frozen=True)
class Interface:
    """The inputs and outputs of a model."""

    inputs: tuple[TensorFacts, ...]
    outputs: tuple[TensorFacts, ...]
    # Whether the engine runs several images at once, where the model takes them.
    batches: bool = True


@dataclass(frozen=True, eq=False)
class Adaptation:
    """The way from uint8 pixels to a third-party model's input, and from its output to probabilities."""

    input_shape: tuple[int, int, int]  # of the pixels: (height, width, channels)
    classes: int
    tensor_shape: tuple[int, ...]  # of the input tensor for `batch` images, or for one where any number will do
    batch: int | None  # images of one run; None: any number
    output: int  # which of the outputs
    # uint8 (n, height, width, channels) -> the input tensor
    encode: Callable[[NDArray[np.uint8]], NDArray[Any]]
    # the output tensor -> float32 (n, classes)
    decode: Callable[[NDArray[Any]], NDArray[np.float32]]


# Runs an input tensor of any allowed shape; returns all outputs.
Probe = Callable[[NDArray[Any]], list[NDArray[Any]]]
# Decides how a model without a manifest of edgecnn is used.
Adapt = Callable[[Interface, Probe], Adaptation]
