"""How a network wants its pixels: the numbers behind --scale, --mean, --std and --preprocess."""

import enum
from collections.abc import Sequence
from dataclasses import dataclass

from edgecnn_runtime.choices import not_among
from edgecnn_runtime.errors import InputError

# What a caller may give where one number, or one per channel, is meant: 0.5, "1/255", "0.485,0.456,0.406", (1, 2, 3).
Numbers = float | str | Sequence[float]


class Preprocess(enum.StrEnum):
    """The pre-processing that `keras.applications` has names for, and that of `tf.image.per_image_standardization`."""

    CAFFE = "caffe"  # BGR, the mean of ImageNet taken off
    TF = "tf"  # -1…1
    TORCH = "torch"  # 0…1, then mean and standard deviation of ImageNet
    PER_IMAGE = "per-image"  # each image to mean 0 and standard deviation 1
    NONE = "none"  # 0…255


@dataclass(frozen=True)
class PixelScaling:
    """`pixels * scale + offset`, one value or one per channel, RGB; then, perhaps, the channels the other way round.

    Or what no such numbers do: the pixels of each image less their mean, divided by their standard deviation.
    """

    scale: tuple[float, ...] = (1.0,)
    offset: tuple[float, ...] = (0.0,)
    bgr: bool = False
    per_image: bool = False  # with scale 1 and offset 0

    @property
    def range(self) -> tuple[float, float]:
        """The smallest and the largest value that it makes of a pixel, before it standardizes an image."""
        count = max(len(self.scale), len(self.offset))
        scales, offsets = (values * (count // len(values)) for values in (self.scale, self.offset))
        ends = [end for scale, offset in zip(scales, offsets, strict=True) for end in (offset, 255 * scale + offset)]
        return min(ends), max(ends)

    @property
    def largest(self) -> float:
        """The largest value that it makes of a pixel, whatever its sign; above 255 something is wrong with it."""
        return max(abs(end) for end in self.range)


def scaling_of_options(
    *,
    scale: Numbers | None = None,
    mean: Numbers | None = None,
    std: Numbers | None = None,
    preprocess: str | None = None,
) -> PixelScaling | None:
    """Read what a user says: `(pixels * scale - mean) / std`, or a name; None where nothing is given.

    Raises:
        InputError: not numbers, another count than 1 or 3, a standard deviation that is not above 0, or a name beside
            numbers.

    >>> scaling_of_options(scale="1/255").scale
    (0.00392156862745098,)
    >>> scaling_of_options(mean="127.5", std="127.5").offset
    (-1.0,)
    """
    given = {name: value for name, value in (("--scale", scale), ("--mean", mean), ("--std", std)) if value is not None}
    if preprocess is not None:
        if given:
            raise InputError(f"--preprocess: expected alone, got {', '.join(given)} beside it")
        return named_scaling(preprocess)
    if not given:
        return None
    factors = _numbers("--scale", 1.0 if scale is None else scale)
    means, deviations = (
        _numbers("--mean", 0.0 if mean is None else mean),
        _numbers("--std", 1.0 if std is None else std),
    )
    if min(deviations) <= 0:
        raise InputError(f"--std: expected numbers above 0, got {std}")
    count = max(len(factors), len(means), len(deviations))
    rows = [values * count if len(values) == 1 else values for values in (factors, means, deviations)]
    return PixelScaling(
        scale=tuple(factor / deviation for factor, _, deviation in zip(*rows, strict=True)),
        offset=tuple(-taken / deviation for _, taken, deviation in zip(*rows, strict=True)),
    )


def named_scaling(name: str) -> PixelScaling:
    """Return what `keras.applications.imagenet_utils.preprocess_input` does in a mode, or what another name says.

    Raises:
        InputError: no such mode.

    >>> named_scaling("caffe").offset
    (-123.68, -116.779, -103.939)
    """
    if name not in list(Preprocess):
        raise InputError(not_among("--preprocess", name, Preprocess))
    return _NAMED[Preprocess(name)]


# The numbers of keras/src/applications/imagenet_utils.py, here red, green, blue; tests compare them with Keras.
_TORCH_MEAN, _TORCH_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_NAMED = {
    Preprocess.CAFFE: PixelScaling(offset=(-123.68, -116.779, -103.939), bgr=True),
    Preprocess.TF: PixelScaling(scale=(1 / 127.5,), offset=(-1.0,)),
    Preprocess.TORCH: PixelScaling(
        scale=tuple(1 / 255 / std for std in _TORCH_STD),
        offset=tuple(-mean / std for mean, std in zip(_TORCH_MEAN, _TORCH_STD, strict=True)),
    ),
    Preprocess.PER_IMAGE: PixelScaling(per_image=True),
    Preprocess.NONE: PixelScaling(),
}

# Beyond this a number is a slip; NaN is beyond it, too.
_LARGEST = 1e6


def _numbers(option: str, given: Numbers) -> tuple[float, ...]:
    """Read 0.5, "1/255", "0.485,0.456,0.406" or three numbers."""
    from fractions import Fraction

    try:
        if isinstance(given, str):
            values = tuple(float(Fraction(part.strip())) for part in given.split(","))
        elif isinstance(given, Sequence):
            values = tuple(float(value) for value in given)
        else:
            values = (float(given),)
    except (TypeError, ValueError, ZeroDivisionError, OverflowError):
        values = ()
    if len(values) not in (1, 3) or not all(abs(value) <= _LARGEST for value in values):
        raise InputError(f"{option}: expected one number or three, red, green, blue, as in 1/255, got {given!r}")
    return values
