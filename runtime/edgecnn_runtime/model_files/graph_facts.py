"""What a classifier needs to know of a third-party model's graph beyond the shapes of its tensors."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from edgecnn_runtime.image_fit import ImageFit
from edgecnn_runtime.pixel_scaling import PixelScaling

# The task of a classifier, as Ultralytics calls it.
CLASSIFY = "classify"


def _nothing_said(height: int, width: int) -> ImageFit:
    del height, width
    return ImageFit()


@dataclass(frozen=True)
class FileMetadata:
    """What other tools have written into a model file about it; None where they left it out."""

    labels: tuple[str, ...] | None = None
    scaling: PixelScaling | None = None
    grey: bool | None = None
    source: str = ""  # such as "TFLite Metadata"
    task: str | None = None  # what the model is for: `CLASSIFY`, or something else
    imgsz: tuple[int, int] | None = None  # (height, width)
    # From height and width of the input, how images are fitted to it.
    fit: Callable[[int, int], ImageFit] = _nothing_said


@dataclass(frozen=True)
class FirstScaling:
    """The operator that scales the pixels, where a graph begins with one."""

    kind: str  # as the format calls it: Sub, SUB
    # The first number that it adds, subtracts, multiplies or divides by (of a BatchNormalization, the mean; of a
    # QuantizeLinear, the width of what it tells apart); None: not known.
    number: float | None = None

    @property
    def takes_0_to_1(self) -> bool:
        """Whether the number makes sense for pixels 0…1 only.

        >>> [FirstScaling(*one).takes_0_to_1 for one in (("Sub", 0.485), ("Sub", 127.5), ("MUL", 2), ("MUL", 1 / 255))]
        [True, False, True, False]
        """
        return (0 if self._multiplies else _SMALLEST) < self._divisor < _LARGEST

    @property
    def takes_0_to_255(self) -> bool:
        """Whether the number makes sense for pixels 0…255 only; for others still, neither holds.

        >>> [FirstScaling(*one).takes_0_to_255 for one in (("Sub", 127.5), ("MUL", 1 / 255), ("Add", 1), ("Mul", 0.5))]
        [True, True, False, False]
        """
        return self._divisor >= _LARGE

    @property
    def _multiplies(self) -> bool:
        return self.kind.upper() == "MUL"

    @property
    def _divisor(self) -> float:
        number = abs(self.number or 0)
        return 1 / number if self._multiplies and number else number


# Means and deviations of pixels 0…1 lie between these, those of pixels 0…255 are at least so large. What is done to
# pixels -1…1, or less their mean, has numbers close to 0, 1 or 2.
_SMALLEST, _LARGEST, _LARGE = 0.1, 0.95, 16


@dataclass(frozen=True)
class GraphFacts:
    """How a graph begins and ends."""

    # By the name of each output, the operator that makes it; what only reshapes or rescales is passed over.
    last_operators: Mapping[str, str] = field(default_factory=dict)
    first_scaling: FirstScaling | None = None
    # The smallest and the largest number that is told apart, where the graph begins by quantizing a float input.
    first_range: tuple[float, float] | None = None
    # Operators that only their makers' own libraries run.
    custom_operators: tuple[str, ...] = ()
    # By the name of each input and output that holds integers: scale and zero point. Of an ONNX file, those of the
    # outputs that QuantizeLinear makes.
    quantization: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    metadata: FileMetadata = field(default_factory=FileMetadata)
