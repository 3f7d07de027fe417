"""Where height, width and channels are in a third-party model's input."""

from dataclasses import dataclass
from math import isqrt

from edgecnn_runtime.backends.interface import TensorFacts
from edgecnn_runtime.contract import Fact, Origin
from edgecnn_runtime.errors import InputError, ModelError
from edgecnn_runtime.third_party_models.given import ColourOrder, Given, Layout

# A batch that is fixed to more than this is no batch.
_LARGEST_BATCH = 1024


@dataclass(frozen=True)
class ImageLayout:
    """How the input tensor is laid out."""

    height: int
    width: int
    channels: int
    channels_first: bool
    # The tensor's shape for one batch: `batch` images, or 1 where any number will do.
    shape: tuple[int, ...]
    batch: int | None
    size_fact: Fact
    layout_fact: Fact
    one_image: bool = False  # without an axis for the batch


def find_layout(
    tensor: TensorFacts, given: Given, *, channels_first_by_default: bool, stated: tuple[int, int] | None = None
) -> ImageLayout:
    """Find the axes of an input of images.

    Args:
        tensor: the input.
        given: what the caller said: a layout, a size, a colour.
        channels_first_by_default: where the shape fits both; ONNX files mostly are, TFLite files are not.
        stated: (height, width) by the file's metadata, for an input of any size.

    Raises:
        ModelError: no images of 1 or 3 channels.
        InputError: the size is open and was not given, or what was given does not fit.
    """
    shape = tensor.shape
    if shape is None or len(shape) not in (2, 3, 4) or any(size is not None and size < 0 for size in shape):
        raise ModelError(
            f"input {tensor.name}: expected images, (N, height, width, channels) or (N, channels, height, width), "
            f"got {_shown(shape)}"
        )
    if len(shape) == 2:
        return _flat(tensor.name, shape, given)
    if len(shape) == 3:
        return _three_axes(tensor.name, shape, given, stated)
    first, why, origin = _channels_first(tensor.name, shape, given, channels_first_by_default)
    _, one, two, three = shape
    channels, height, width = (one, two, three) if first else (three, one, two)
    channels = _channels(channels, given)
    height, width, fact = _size(tensor.name, height, width, given, stated)
    batch = _batch(shape[0])
    inner = (channels, height, width) if first else (height, width, channels)
    name = "NCHW, channels first" if first else "NHWC, channels last"
    return ImageLayout(height, width, channels, first, (batch or 1, *inner), batch, fact, Fact(name, origin, why))


def _channels_first(
    name: str, shape: tuple[int | None, ...], given: Given, by_default: bool
) -> tuple[bool, str, Origin]:
    can_be_first, can_be_last = shape[1] in (1, 3), shape[3] in (1, 3)
    if given.layout is not None:
        wanted = given.layout is Layout.NCHW
        if shape[1 if wanted else 3] not in (1, 3, None):
            raise InputError(f"--layout {given.layout}: expected 1 or 3 channels, got an input {name} {_shown(shape)}")
        return wanted, "", Origin.CALLER
    if can_be_first != can_be_last:
        return can_be_first, "", Origin.MODEL
    if can_be_first or (shape[1] is None and shape[3] is None) or (None in (shape[1], shape[3])):
        why = f"{_shown(shape)} fits both; --layout says otherwise"
        return by_default, why, Origin.ASSUMED
    raise ModelError(f"input {name}: expected 1 channel (grey) or 3, as last or second axis, got {_shown(shape)}")


def _three_axes(name: str, shape: tuple[int | None, ...], given: Given, stated: tuple[int, int] | None) -> ImageLayout:
    """Find the axes of one image without a batch, or of a batch of grey images."""
    first, one, last = shape
    if last in (1, 3) and first not in (1, None) and given.layout is not Layout.NCHW:
        height, width, fact = _size(name, first, one, given, stated)
        channels = int(last or 0)
        inner, text, channels_first, batch = (height, width, channels), "HWC, one image", False, 1
    elif first == 3 and given.layout is not Layout.NHWC:
        height, width, fact = _size(name, one, last, given, stated)
        inner, text, channels_first, channels, batch = (3, height, width), "CHW, one image", True, 3, 1
    else:
        height, width, fact = _size(name, one, last, given, stated)
        count = _batch(first)
        return ImageLayout(
            height, width, 1, False, (count or 1, height, width), count, fact, Fact("NHW, grey images", Origin.MODEL)
        )
    layout_fact = Fact(text, Origin.MODEL)
    return ImageLayout(height, width, channels, channels_first, inner, batch, fact, layout_fact, one_image=True)


def _flat(name: str, shape: tuple[int | None, ...], given: Given) -> ImageLayout:
    """Find the size of images that are given as rows of numbers."""
    count = shape[1]
    if count is None:
        raise ModelError(f"input {name}: expected images, got rows of any length {_shown(shape)}")
    channels = next((n for n in (1, 3) if count % n == 0 and isqrt(count // n) ** 2 * n == count), None)
    if given.imgsz is not None:
        height, width = given.imgsz
        channels = count // (height * width)
        if channels not in (1, 3) or height * width * channels != count:
            raise InputError(f"--imgsz: expected {count} numbers per image, as the input has, got {height}x{width}")
        fact = Fact(f"{height}x{width}", Origin.CALLER)
    elif channels is not None:
        height = width = isqrt(count // channels)
        fact = Fact(f"{height}x{width}", Origin.ASSUMED, f"{count} numbers per image make such a square")
    else:
        raise ModelError(
            f"input {name}: expected images, (N, height, width, channels), got rows {_shown(shape)}; --imgsz, "
            "if they are images"
        )
    first = given.layout is Layout.NCHW
    batch = _batch(shape[0])
    return ImageLayout(
        height, width, channels, first, (batch or 1, count), batch, fact,
        Fact(f"rows of {'channels, rows, columns' if first else 'rows, columns, channels'}",
             Origin.CALLER if given.layout else Origin.ASSUMED if channels == 3 else Origin.MODEL),
    )  # fmt: skip


def _channels(found: int | None, given: Given) -> int:
    if found is not None:
        return found
    return 1 if given.colour is ColourOrder.GREY else 3


def _size(
    name: str, height: int | None, width: int | None, given: Given, stated: tuple[int, int] | None
) -> tuple[int, int, Fact]:
    wanted = given.imgsz
    for axis, (found, asked) in enumerate(zip((height, width), wanted or (None, None), strict=True)):
        if found is not None and asked is not None and found != asked:
            raise InputError(
                f"--imgsz: expected {'width' if axis else 'height'} {found}, that of the input {name}, got {asked}; "
                "leave it out"
            )
    if 0 in (height, width):
        raise ModelError(f"input {name}: expected images, got {height}x{width}")
    if height is not None and width is not None:
        return height, width, Fact(f"{height}x{width}", Origin.MODEL)
    if wanted is None and stated is not None and height in (None, stated[0]) and width in (None, stated[1]):
        return *stated, Fact(f"{stated[0]}x{stated[1]}", Origin.METADATA)
    if wanted is None:
        raise InputError(
            "expected the size of its images, as it takes any; add --imgsz (imgsz=…) with the one it was trained on"
        )
    return *wanted, Fact(f"{wanted[0]}x{wanted[1]}", Origin.CALLER)


def _batch(size: int | None) -> int | None:
    if size is not None and not 1 <= size <= _LARGEST_BATCH:
        raise ModelError(f"input: expected a batch of 1 to {_LARGEST_BATCH} images, got {size}")
    return size


def _shown(shape: tuple[int | None, ...] | None) -> str:
    if shape is None:
        return "an unknown shape"
    return "(" + ", ".join("any" if size is None else str(size) for size in shape) + ")"
