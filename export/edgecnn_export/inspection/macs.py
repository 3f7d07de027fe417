"""Multiply-accumulates of one operator, from the shapes of its tensors.

Counted are convolutions and matrix products, where nearly all of the work is; the rest counts 0, as in the papers
whose figures these are compared with.
"""

import math

TensorShape = tuple[int, ...] | None


def convolution(output: TensorShape, *, kernel: TensorShape) -> int | None:
    """Every output value sums over `kernel`: the window and the input channels of one filter.

    >>> convolution((1, 26, 26, 32), kernel=(3, 3, 1))
    194688
    """
    return None if output is None or kernel is None else math.prod(output) * math.prod(kernel)


def transposed_convolution(source: TensorShape, *, kernel: TensorShape) -> int | None:
    """Every input value is spread over `kernel`: the window and the output channels."""
    return convolution(source, kernel=kernel)


def matrix_product(output: TensorShape, *, inner: int | None) -> int | None:
    """Every output value sums over the inner dimension.

    >>> matrix_product((1, 128), inner=9216)
    1179648
    """
    return None if output is None or inner is None else math.prod(output) * inner


def inner_size(left: TensorShape, *, transposed: bool = False) -> int | None:
    """Return the dimension of the left matrix that a product sums over."""
    if not left:
        return None
    return left[-2] if transposed and len(left) > 1 else left[-1]
