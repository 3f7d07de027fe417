"""From uint8 pixels to a third-party model's input tensor: channels, scaling, quantization, layout."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.backends.interface import TensorFacts
from edgecnn_runtime.contract import Fact, Origin
from edgecnn_runtime.errors import InputError, ModelError
from edgecnn_runtime.manifest import Colour
from edgecnn_runtime.model_files.graph_facts import GraphFacts
from edgecnn_runtime.pixel_scaling import PixelScaling
from edgecnn_runtime.third_party_models.given import ColourOrder, Given
from edgecnn_runtime.third_party_models.image_layout import ImageLayout
from edgecnn_runtime.third_party_models.pixel_ranges import PixelRangeError, range_of_numbers

_FLOATS = frozenset({"float16", "float32", "float64"})
_INTEGERS = frozenset({"uint8", "int8", "uint16", "int16", "int32", "int64"})
# Quantized values of up to 16 bits carry a scale.
_QUANTIZED = frozenset({"uint8", "int8", "int16", "uint16"})

Encode = Callable[[NDArray[np.uint8]], NDArray[Any]]


@dataclass(frozen=True, eq=False)
class PixelEncoding:
    """How pixels become an input tensor."""

    colour: Colour
    encode: Encode
    colour_fact: Fact
    pixels_fact: Fact


def find_encoding(tensor: TensorFacts, layout: ImageLayout, given: Given, facts: GraphFacts) -> PixelEncoding:
    """Decide what becomes of a pixel.

    Raises:
        ModelError: an input of no number that a pixel can be.
        InputError: a colour or a scaling that does not fit the channels; `PixelRangeError` where nothing says what
            becomes of a pixel.
    """
    if tensor.dtype not in _FLOATS | _INTEGERS:
        raise ModelError(f"input {tensor.name}: expected float or integer pixels, got {tensor.dtype}")
    order, colour_fact = _colour(layout.channels, given, facts)
    channels = 1 if order is ColourOrder.GREY else 3
    byte_offset, scaling, pixels_fact = _scaling(tensor, layout.channels, given, facts)
    if max(len(scaling.scale), len(scaling.offset)) > channels:
        raise InputError("--scale, --mean, --std: expected one number for a grey image, got three")
    to_values = _values(tensor, byte_offset, scaling, channels)
    return PixelEncoding(
        colour=Colour.GREY if channels == 1 else Colour.RGB,
        encode=_encoder(to_values, layout, bgr=order is ColourOrder.BGR),
        colour_fact=colour_fact,
        pixels_fact=pixels_fact,
    )


def _colour(channels: int, given: Given, facts: GraphFacts) -> tuple[ColourOrder, Fact]:
    if given.colour is not None:
        if channels == 1 and given.colour is not ColourOrder.GREY:
            raise InputError(f"--colour: expected grey, as the input has 1 channel, got {given.colour}")
        return given.colour, Fact(given.colour.value, Origin.CALLER)
    if channels == 1:
        return ColourOrder.GREY, Fact("grey", Origin.MODEL)
    if facts.metadata.scaling is not None and facts.metadata.scaling.bgr:
        return ColourOrder.BGR, Fact("bgr", Origin.METADATA, facts.metadata.source)
    if facts.metadata.grey is False:
        return ColourOrder.RGB, Fact("rgb", Origin.METADATA, facts.metadata.source)
    return ColourOrder.RGB, Fact("rgb", Origin.ASSUMED, "--colour bgr says otherwise")


def _scaling(
    tensor: TensorFacts, channels: int, given: Given, facts: GraphFacts
) -> tuple[int | None, PixelScaling, Fact]:
    """Decide what a pixel is worth.

    Returns:
        The offset from a pixel to the stored integer, where that is the whole conversion; else None and the scaling
        to the value that the integer means.

    Raises:
        PixelRangeError: neither the caller nor the file says it.
    """
    plain = PixelScaling()
    quantized = tensor.dtype in _QUANTIZED and tensor.scale is not None
    if given.scaling is not None:
        return None, given.scaling, Fact(_shown(given.scaling), Origin.CALLER, _too_large(given.scaling, tensor))
    # Readers of the metadata, MediaPipe and the Task Library among them, feed uint8 inputs the bytes as they are.
    if tensor.dtype == "uint8":
        origin = Origin.METADATA if facts.metadata.scaling else Origin.ASSUMED if quantized else Origin.MODEL
        return 0, plain, Fact("0…255, the bytes of the image", origin, _bytes(tensor))
    scaling = facts.metadata.scaling
    if scaling is not None and tensor.dtype in _FLOATS | {"int8", "int16"}:
        return None, scaling, Fact(_shown(scaling), Origin.METADATA, facts.metadata.source)
    if not quantized and tensor.dtype in _INTEGERS:
        if tensor.dtype == "int8":
            return -128, plain, Fact("-128…127, the pixels less 128", Origin.ASSUMED, "--scale or --mean say otherwise")
        return None, plain, Fact("0…255", Origin.ASSUMED, "integers hold no 0…1; --scale or --mean say otherwise")
    if quantized and tensor.scale is not None:
        largest = (np.iinfo(tensor.dtype).max - tensor.zero_point) * tensor.scale
        smallest = (np.iinfo(tensor.dtype).min - tensor.zero_point) * tensor.scale
        if largest >= 254 and smallest <= 1:
            return None, plain, Fact("0…255", Origin.ASSUMED, f"its numbers reach from {smallest:.4g} to {largest:.4g}")
        # Pixels begin at 0, or are as far below it as above; of MFCC, say, most is below.
        if not (abs(smallest) <= 0.1 * largest or 0.5 * largest <= -smallest <= 2 * largest):
            raise PixelRangeError.of(channels, f"as its numbers reach from {smallest:.4g} to {largest:.4g}")
        if tensor.dtype == "int8":
            return -128, plain, Fact("-128…127, the pixels less 128", Origin.ASSUMED, _bytes(tensor))
        return None, _UNIT, Fact("0…1", Origin.ASSUMED, f"its numbers reach from {smallest:.4g} to {largest:.4g}")
    first = facts.first_scaling
    if first is not None and first.takes_0_to_1:
        why = f"it begins with {first.kind} {first.number:.4g}, which is for such pixels"
        return None, _UNIT, Fact("0…1, pixels / 255", Origin.ASSUMED, why)
    if first is not None and first.takes_0_to_255:
        return None, plain, Fact("0…255", Origin.ASSUMED, f"it begins with its own scaling, {first.kind}")
    if facts.first_range is not None and (found := range_of_numbers(*facts.first_range, channels=channels)):
        low, high = facts.first_range
        why = f"it quantizes them to {low:.4g}…{high:.4g}"
        return None, found.scaling, Fact(f"{found.name}, {_shown(found.scaling)}", Origin.ASSUMED, why)
    raise PixelRangeError.of(channels, "which the file does not say")


_UNIT = PixelScaling(scale=(1 / 255,))


def _bytes(tensor: TensorFacts) -> str:
    if tensor.scale is None:
        return ""
    limits = np.iinfo(tensor.dtype)
    low, high = ((limit - tensor.zero_point) * tensor.scale for limit in (limits.min, limits.max))
    return f"which stand for {low:.4g} to {high:.4g}; --mean and --std say otherwise"


def _too_large(scaling: PixelScaling, tensor: TensorFacts) -> str:
    if scaling.largest <= 255 or tensor.dtype not in _FLOATS:
        return ""
    return f"up to {scaling.largest:.0f}: a mean and a standard deviation for pixels 0…1 want --scale 1/255 beside them"


def _shown(scaling: PixelScaling) -> str:
    """Say what a scaling does: "pixels * 0.00784 - 1, -1…1"."""
    low, high = scaling.range

    def numbers(values: tuple[float, ...]) -> str:
        return ", ".join(f"{value:.4g}" for value in values)

    if scaling.per_image:
        return "each image to mean 0 and standard deviation 1"
    if scaling.scale == (1.0,) and scaling.offset == (0.0,):
        return "0…255"
    offset = "" if set(scaling.offset) == {0.0} else f" + ({numbers(scaling.offset)})"
    return f"pixels * ({numbers(scaling.scale)}){offset}, {low:.4g}…{high:.4g}"


def _values(
    tensor: TensorFacts, byte_offset: int | None, scaling: PixelScaling, channels: int
) -> Callable[[NDArray[np.uint8]], NDArray[Any]]:
    """Return what makes a tensor's numbers of pixels `(n, height, width, channels)`, the axes as they are."""
    dtype = np.dtype(tensor.dtype)
    if byte_offset == 0 and dtype == np.uint8:
        return lambda pixels: pixels
    if byte_offset == -128 and dtype == np.int8:
        return lambda pixels: (pixels ^ np.uint8(128)).view(np.int8)
    if scaling.per_image:
        return _standardized(tensor)
    if dtype.name in _FLOATS:
        factors, offsets = (np.array(values, np.float32) for values in (scaling.scale, scaling.offset))
        return lambda pixels: (pixels * factors + offsets).astype(dtype, copy=False)
    # One row of 256 numbers for all channels, or one for each.
    rows = (
        np.array([scaling.scale, scaling.offset])
        if len(scaling.scale) == len(scaling.offset)
        else np.stack([np.broadcast_to(np.array(values), (channels,)) for values in (scaling.scale, scaling.offset)])
    )
    table = np.arange(256)[:, np.newaxis] * rows[0] + rows[1]
    if tensor.scale is not None:
        table = table / tensor.scale + tensor.zero_point
    limits = np.iinfo(dtype)
    table = np.clip(np.round(table), limits.min, limits.max).astype(dtype)
    if table.shape[1] == 1:
        single = table[:, 0]
        return lambda pixels: single[pixels]
    numbers = np.arange(table.shape[1])
    return lambda pixels: table[pixels, numbers]


def _standardized(tensor: TensorFacts) -> Callable[[NDArray[np.uint8]], NDArray[Any]]:
    """Return what `tf.image.per_image_standardization` does, and the quantization behind it."""
    dtype = np.dtype(tensor.dtype)
    if tensor.scale is None and dtype.name not in _FLOATS:
        raise InputError(f"--preprocess per-image: expected floats, or integers with a scale, got {dtype}")

    def standardized(pixels: NDArray[np.uint8]) -> NDArray[Any]:
        axes = (1, 2, 3)
        mean = pixels.mean(axes, np.float64, keepdims=True)
        # Of an image of one colour, no division by 0.
        deviation = np.maximum(pixels.std(axes, np.float64, keepdims=True), pixels[0].size ** -0.5)
        values: NDArray[np.float64] = (pixels - mean) / deviation
        if tensor.scale is None or dtype.name in _FLOATS:
            return values.astype(dtype)
        limits = np.iinfo(dtype)
        return np.clip(np.round(values / tensor.scale + tensor.zero_point), limits.min, limits.max).astype(dtype)

    return standardized


def _encoder(to_values: Callable[[NDArray[np.uint8]], NDArray[Any]], layout: ImageLayout, *, bgr: bool) -> Encode:
    repeated = layout.channels == 3

    def encode(pixels: NDArray[np.uint8]) -> NDArray[Any]:
        values = to_values(pixels)
        if bgr:
            values = values[..., ::-1]
        if repeated and values.shape[3] == 1:
            values = np.repeat(values, 3, axis=3)
        if layout.channels_first:
            values = values.transpose(0, 3, 1, 2)
        values = np.ascontiguousarray(values)
        if layout.batch is not None and len(values) < layout.batch:
            # Images of zeros fill a batch of fixed size; their answers are thrown away.
            filled = np.zeros((layout.batch, *values.shape[1:]), values.dtype)
            filled[: len(values)] = values
            values = filled
        return values.reshape(layout.shape if layout.one_image else (len(values), *layout.shape[1:]))

    return encode
