"""What an operator gives while a graph is rebuilt, where that is no Keras tensor yet."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import keras
import numpy as np
from numpy.typing import NDArray

from edgecnn_export.imported.graph_constants import UnfitError

Floats: TypeAlias = NDArray[np.float32]
ONE, ZERO = np.ones((), np.float32), np.zeros((), np.float32)


@dataclass(eq=False)
class Deferred:
    """A layer that is not built yet, because what follows may go into its weights: `x * scale + offset` per channel.

    A bias goes into the convolution before it, and so does a batch norm that the graph holds as its arithmetic.
    """

    build: Callable[[Floats, Floats], Any]  # (scale, offset), each () or (channels,), to the outcome
    channels: int
    scale: Floats
    offset: Floats


@dataclass(frozen=True, eq=False)
class InBatches:
    """What SpaceToBatchND gives: every `block`-th row and column of a padded image as an image of its own.

    A convolution of these is one with gaps, which is how TensorFlow writes a dilated convolution.
    """

    image: Any
    block: tuple[int, int]
    padding: tuple[tuple[int, int], tuple[int, int]]
    # From the padded image to the convolution of it; None in front of the convolution.
    convolved: Callable[[Any], "Deferred"] | None = None


@dataclass(frozen=True, eq=False)
class Rows:
    """All rows of a batch in one matrix, until a Reshape gives each image its own again.

    So TensorFlow multiplies more than two axes with a matrix, and Keras 2 normalizes in a LayerNormalization.
    """

    images: Any  # a Keras tensor, or a layer that is not built yet
    shape: tuple[int | None, ...]  # of the images, with the batch
    size: int  # of one row


@dataclass(frozen=True)
class TensorList:
    """A list that a loop reads or fills; None where it has not come yet."""

    items: tuple[Any, ...]


def axes_of(rows: Rows) -> int:
    """Count the last axes of an image that make one row."""
    sizes = [int(size or 0) for size in rows.shape[1:]]
    for count in range(1, len(sizes) + 1):
        if math.prod(sizes[-count:]) == rows.size:
            return count
    raise UnfitError("expected a LayerNormalization over the last axes")


def per_channel(constant: NDArray[Any], channels: int) -> Floats:
    """Return a constant as one value, or as one per channel."""
    floats = constant.astype(np.float32)
    if floats.size == 1:
        return floats.reshape(())
    if floats.size != channels or floats.shape[-1] != channels:
        raise UnfitError(f"expected one constant, or one for each of {channels} channels, got {floats.shape}")
    return floats.reshape(channels)


def scale_and_offset(operator: str, constant: Floats, *, first: bool) -> tuple[Floats, Floats]:
    """Write an operation with a constant, which may stand first, as `x * scale + offset`."""
    if operator == "Mul":
        return constant, ZERO
    if operator == "Sub":
        return (-ONE, constant) if first else (ONE, -constant)
    if operator in ("RealDiv", "Div"):
        if first:
            raise UnfitError("expected a division by a constant")
        return ONE / constant, ZERO
    return ONE, constant


def _listed(tensor: Any, shape: Any) -> TensorList:
    del shape
    return TensorList(tuple(tensor) if isinstance(tensor, np.ndarray) else tuple(keras.ops.unstack(tensor, axis=0)))


def _with_item(listed: TensorList, index: Any, item: Any) -> TensorList:
    return TensorList((*listed.items[: int(index)], item, *listed.items[int(index) + 1 :]))


def _stacked(listed: TensorList, shape: Any) -> Any:
    del shape
    if any(item is None for item in listed.items):
        raise UnfitError("expected a list that the loop has filled")
    return keras.ops.stack(listed.items, axis=0)


# The operators that make, read and fill lists.
LIST_OPERATORS: Mapping[str, Callable[..., Any]] = {
    "TensorListFromTensor": _listed,
    "TensorListGetItem": lambda listed, index, *_: listed.items[int(index)],
    "TensorListReserve": lambda _, count: TensorList((None,) * int(count)),
    "TensorListSetItem": _with_item,
    "TensorListStack": _stacked,
}
