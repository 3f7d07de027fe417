"""The one pre-processing: any image in, uint8 pixels `(height, width, channels)` out.

decode -> EXIF orientation -> background under transparency -> RGB or grey -> resize. Training, calibration,
evaluation, benchmark and device all call `read_image`, so they cannot disagree. Pillow does all of it in
integer arithmetic, so that x86 and ARM give the same bytes. Large JPEGs are decoded at a fraction of their size
where the input says so. Scaling and means are inside the model's graph.
"""

import os
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edgecnn_runtime.errors import ImageError
from edgecnn_runtime.image_files import MAX_PIXELS, check_size, image_errors, opened_image
from edgecnn_runtime.manifest import Colour, Decode, InputSpec, Interpolation, Resize

if TYPE_CHECKING:
    from PIL.Image import Image

    from edgecnn_runtime.bit_depth import Depth

# A path, encoded bytes, a Pillow image, or uint8 pixels (H, W), (H, W, 1), (H, W, 3) RGB or (H, W, 4) RGBA.
ImageSource: TypeAlias = "str | os.PathLike[str] | bytes | Image | NDArray[Any]"

# How many times larger than the input a photo is decoded at least, where it is scaled while it is decoded: the
# `reducing_gap` of Pillow's `Image.thumbnail`.
_REDUCING_GAP = 2

# Pixels that are laid on the background at a time.
_STRIP_PIXELS = 1 << 20

# Pixels of a resized image from which a crop is taken.
_WHOLE_PIXELS = 1 << 24


def read_image(source: ImageSource, spec: InputSpec, *, max_pixels: int = MAX_PIXELS) -> NDArray[np.uint8]:
    """Read any image as the pixels a model takes.

    Args:
        source: a path, the bytes of an image file, a Pillow image, or a uint8 array `(H, W)`, `(H, W, 1)`,
            `(H, W, 3)` in RGB order or `(H, W, 4)` RGBA.
        spec: the size, colour and resize policy asked for.
        max_pixels: of a file.

    Returns:
        uint8 `(height, width, channels)`, 0…255, RGB order.

    Raises:
        ImageError: missing, unreadable, truncated, empty, of more than `max_pixels`, with a side above `MAX_SIDE`, with
            values of which it is not known what is white, or no image at all.

    >>> read_image(np.full((56, 40), 255, np.uint8), InputSpec(28, 28, Colour.GREY)).shape
    (28, 28, 1)
    """
    if isinstance(source, np.ndarray):
        if source.shape == spec.shape and source.dtype == np.uint8:
            return source
        return _fit(_image_of_array(source), spec)
    from PIL import Image

    if isinstance(source, Image.Image):
        check_size("image", source.size)
        with image_errors("image", "expected a whole Pillow image, still open"):
            return _fit(source, spec)
    if not isinstance(source, str | bytes | os.PathLike):
        raise ImageError(
            "image: expected a path, the bytes of an image file, a Pillow image or an array of uint8 pixels, "
            f"got {type(source).__name__}"
        )
    with opened_image(source, max_pixels=max_pixels) as image:
        if spec.decode is Decode.SCALED:
            # For both sides, since EXIF may turn the image. Only JPEG can do it; for others this does nothing.
            side = _REDUCING_GAP * max(spec.height, spec.width, spec.resize_size or 0)
            image.draft(None, (side, side))
        return _fit(image, spec)


def _image_of_array(array: NDArray[Any]) -> "Image":
    from PIL import Image

    if array.dtype != np.uint8:
        raise ImageError(
            f"image array: expected uint8 pixels 0…255, got {array.dtype}; "
            "the scaling is inside the model, so give it the pixels as the camera does"
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if 0 in array.shape or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise ImageError(f"image array: expected shape (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), got {array.shape}")
    check_size("image array", (array.shape[1], array.shape[0]))
    return Image.fromarray(array)


def _fit(image: "Image", spec: InputSpec) -> NDArray[np.uint8]:
    """Orient, flatten, convert and resize a decoded image."""
    from PIL import ImageOps

    depth = _depth(image)  # first: Pillow decodes 16 bits in colour to 8
    image.load()
    # `getexif` parses; the dictionary lookup first keeps that away from the many files that carry none.
    if "exif" in image.info or image.format in ("TIFF", "MPO", "WEBP"):
        image = ImageOps.exif_transpose(image)
    if depth is not None:
        image = depth.shortened(image)
    image = _convert(image, spec)
    size = spec.width, spec.height
    if image.size != size:
        image = _resize(image, spec)
    pixels = np.asarray(image)
    return pixels[:, :, np.newaxis] if pixels.ndim == 2 else pixels


def _depth(image: "Image") -> "Depth | None":
    """Return how the values of an image of more than 8 bits per channel are read; None for other images."""
    stored = repr([tile[3] for tile in getattr(image, "tile", ())])
    if image.mode[0] not in "IF" and ";16" not in stored and "65535" not in stored:
        return None
    from edgecnn_runtime.bit_depth import Depth

    return Depth.of(image)


def _convert(image: "Image", spec: InputSpec) -> "Image":
    """Bring any mode to L or RGB; what is transparent shows the background."""
    from PIL import Image

    mode = "L" if spec.colour is Colour.GREY else "RGB"
    if image.mode not in ("RGBA", "LA", "PA", "La", "RGBa") and "transparency" not in image.info:
        return image if image.mode == mode else image.convert(mode)
    # In strips, because it takes three copies at four bytes a pixel.
    opaque = Image.new(mode, image.size)
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height))).convert("RGBA")
        ground = Image.new("RGBA", strip.size, (*spec.background, 255))
        opaque.paste(Image.alpha_composite(ground, strip).convert(mode), (0, top))
    return opaque


def _resize(image: "Image", spec: InputSpec) -> "Image":
    """Bring an image to the input's size by the policy."""
    size = spec.width, spec.height
    if spec.resize_size is not None:
        return _crop_of_resized(image, size, spec.resize_size, spec.interpolation)
    if spec.resize is Resize.CROP:
        if spec.interpolation in _PILLOW_FILTERS:
            from PIL import ImageOps

            return ImageOps.fit(image, size, _PILLOW_FILTERS[spec.interpolation])
        image = image.crop(_centre_box(image.size, size))
    if spec.resize is Resize.PAD:
        from PIL import Image

        small = _resized(image, _size_within(image.size, size), spec.interpolation)
        # Of the image's mode: a grey border around a grey image.
        border: Any = Image.new("RGB", (1, 1), spec.background).convert(image.mode).getpixel((0, 0))
        padded = Image.new(image.mode, size, border)
        padded.paste(small, (round((size[0] - small.width) / 2), round((size[1] - small.height) / 2)))
        return padded
    return _resized(image, size, spec.interpolation)


# Of Pillow's `Image.Resampling`; the others are in `resampling.py`.
_PILLOW_FILTERS = {Interpolation.BILINEAR: 2, Interpolation.BICUBIC: 3}


def _resized(image: "Image", size: tuple[int, int], interpolation: Interpolation) -> "Image":
    if interpolation in _PILLOW_FILTERS:
        return image.resize(size, _PILLOW_FILTERS[interpolation])
    from PIL import Image

    from edgecnn_runtime.resampling import resample

    return Image.fromarray(resample(image, size, interpolation))


def _crop_of_resized(image: "Image", size: tuple[int, int], shorter: int, interpolation: Interpolation) -> "Image":
    """Do what torchvision's `Resize(shorter)` and `CenterCrop(size)` do one after the other."""
    scale = min(image.size)
    whole = (shorter * image.width // scale, shorter * image.height // scale)
    left, top = (round((has - wants) / 2) for has, wants in zip(whole, size, strict=True))
    box = (left, top, left + size[0], top + size[1])
    if interpolation not in _PILLOW_FILTERS:
        from PIL import Image

        from edgecnn_runtime.resampling import resample

        return Image.fromarray(resample(image, size, interpolation, corner=(left, top), whole=whole))
    if whole[0] * whole[1] <= _WHOLE_PIXELS:
        return image.resize(whole, _PILLOW_FILTERS[interpolation]).crop(box)
    # Of a strip a thousand times as long as it is wide, no more than what the crop shows. It is not the same to the
    # byte: Pillow rounds such a box to float32, and may begin with the other axis.
    across, down = image.width / whole[0], image.height / whole[1]
    part = (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
    return image.resize(size, _PILLOW_FILTERS[interpolation], box=part)


def _centre_box(has: tuple[int, int], wants: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the whole pixels in the middle that have the proportions wanted, as Keras' `crop_to_aspect_ratio` does."""
    width, height = min(has[0], has[1] * wants[0] // wants[1]), min(has[1], has[0] * wants[1] // wants[0])
    width, height = max(1, width), max(1, height)
    left, top = (has[0] - width) // 2, (has[1] - height) // 2
    return left, top, left + width, top + height


def _size_within(has: tuple[int, int], wants: tuple[int, int]) -> tuple[int, int]:
    """Return the largest size of an image's proportions within another, as Pillow's `ImageOps.contain` does."""
    if has[0] * wants[1] >= wants[0] * has[1]:
        return wants[0], max(1, round(has[1] / has[0] * wants[0]))
    return max(1, round(has[0] / has[1] * wants[1])), wants[1]
