"""From uint8 pixels to what the input of an exported file stores, and from what its output stores to probabilities."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.backends.interface import TensorFacts
from edgecnn_runtime.errors import ModelError


def pixel_encoder(path: Path, tensor: TensorFacts) -> Callable[[NDArray[np.uint8]], NDArray[Any]] | None:
    """Return what makes a model's input of uint8 pixels, or None where the pixels are that input.

    Raises:
        ModelError: neither float32 nor integers with a scale.
    """
    if tensor.dtype == "float32":
        return lambda pixels: pixels.astype(np.float32)
    dtype, scale, zero_point = _quantization(path, tensor)
    if (dtype, scale, zero_point) == (np.uint8, 1.0, 0):
        return None
    if (dtype, scale, zero_point) == (np.int8, 1.0, -128):
        # pixel - 128 is the same byte with its highest bit turned.
        return lambda pixels: (pixels ^ np.uint8(128)).view(np.int8)
    table = pixel_values(dtype, scale, zero_point)
    return lambda pixels: table[pixels]


def pixel_values(dtype: Any, scale: float, zero_point: int) -> NDArray[Any]:
    """Return what a quantized input takes for each pixel value 0…255, `(256,)` of `dtype`."""
    limits = np.iinfo(dtype)
    quantized = np.round(np.arange(256) / scale) + zero_point
    return np.clip(quantized, limits.min, limits.max).astype(dtype)


def probability_decoder(path: Path, tensor: TensorFacts) -> Callable[[NDArray[Any]], NDArray[np.float32]] | None:
    """Return what makes probabilities of a model's output, or None where they are that output.

    Raises:
        ModelError: neither float32 nor integers with a scale.
    """
    if tensor.dtype == "float32":
        return None
    dtype, scale, zero_point = _quantization(path, tensor)

    def decode(quantized: NDArray[Any]) -> NDArray[np.float32]:
        return np.float32(scale) * (quantized - np.float32(zero_point))

    if dtype == np.int16:
        return decode
    # In the order of its bits read as uint8.
    table = decode(np.arange(256, dtype=np.uint8).view(dtype))
    return lambda output: table[output.view(np.uint8)]


def _quantization(path: Path, tensor: TensorFacts) -> tuple[Any, float, int]:
    if tensor.dtype not in ("uint8", "int8", "int16") or tensor.scale is None:
        raise ModelError(
            f"{path}: {tensor.name}: expected float32, or uint8, int8 or int16 with a scale, "
            f"got {tensor.dtype} with {'no scale' if tensor.scale is None else f'scale {tensor.scale}'}"
        )
    return np.dtype(tensor.dtype).type, tensor.scale, tensor.zero_point
