"""The three operations of a convolutional block on one channel, as Keras defines them, in numpy.

Written out so that a kernel can be tried without a network, and each number followed by hand.
"""

import math

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import InputError
from edgecnn_training.explain.window import Padding


def correlate(
    image: NDArray[np.float64], kernel: NDArray[np.float64], *, stride: int, padding: Padding
) -> NDArray[np.float64]:
    """Filter: slide a kernel over an image; each value is the sum of the products under it.

    What networks call a convolution is a cross-correlation: the kernel is not flipped.

    Args:
        image: `(height, width)`.
        kernel: `(rows, columns)`.
        stride: steps of the window, both ways.
        padding: `same` pads with 0.

    Raises:
        InputError: the kernel is larger than the padded image.
    """
    windows = _windows(image, kernel.shape, stride=stride, padding=padding, border=0.0, what="kernel")
    filtered: NDArray[np.float64] = np.einsum("hwij,ij->hw", windows, kernel)
    return filtered


def relu(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Detect: keep what is above 0."""
    return np.maximum(values, 0)


def max_pool(values: NDArray[np.float64], *, size: int, stride: int, padding: Padding) -> NDArray[np.float64]:
    """Condense: keep the largest value of each window of `size` x `size`.

    Raises:
        InputError: the window is larger than the padded image.
    """
    windows = _windows(values, (size, size), stride=stride, padding=padding, border=-np.inf, what="pooling window")
    pooled: NDArray[np.float64] = windows.max(axis=(2, 3))
    return pooled


def _windows(
    image: NDArray[np.float64], size: tuple[int, ...], *, stride: int, padding: Padding, border: float, what: str
) -> NDArray[np.float64]:
    """Return a view of all windows, `(rows, columns, height, width)` of the window last."""
    if padding is Padding.SAME:
        around = [_same(length, window, stride) for length, window in zip(image.shape, size, strict=True)]
        image = np.pad(image, around, constant_values=border)
    if any(window > length for window, length in zip(size, image.shape, strict=True)):
        raise InputError(
            f"{what}: expected at most {image.shape[0]}x{image.shape[1]}, as large as what it slides over, "
            f"got {size[0]}x{size[1]}; take a smaller one, smaller strides, or padding same"
        )
    return np.lib.stride_tricks.sliding_window_view(image, size)[::stride, ::stride]


def _same(length: int, window: int, stride: int) -> tuple[int, int]:
    """Return how much is added before and after; of an odd number the larger part after, as TensorFlow does."""
    total = max(0, (math.ceil(length / stride) - 1) * stride + window - length)
    return total // 2, total - total // 2


def parse_kernel(text: str) -> NDArray[np.float64]:
    """Read a kernel written as rows separated by `;` of numbers separated by `,`.

    Raises:
        InputError: not that, or rows of different lengths.

    >>> parse_kernel("1,0,-1; 2,0,-2; 1,0,-1").tolist()
    [[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]]
    """
    try:
        kernel = np.array([[float(value) for value in row.split(",")] for row in text.split(";")])
    except ValueError:
        kernel = np.array([])
    if kernel.ndim != 2 or not np.isfinite(kernel).all():
        raise InputError(
            f"kernel: expected rows of equal length such as '1,0,-1;2,0,-2;1,0,-1', got {text!r}; "
            "numbers are separated by commas, rows by semicolons"
        )
    return kernel
