"""What a classifier needs to know of a third-party model's graph beyond the shapes of its tensors."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgecnn_runtime.pixel_scaling import PixelScaling


@dataclass(frozen=True)
class FileMetadata:
    """What other tools have written into a model file about it; None where they left it out."""

    labels: tuple[str, ...] | None = None
    scaling: PixelScaling | None = None
    grey: bool | None = None
    source: str = ""  # such as "TFLite Metadata"


@dataclass(frozen=True)
class FirstScaling:
    """The operator that scales the pixels, where a graph begins with one."""

    kind: str  # as the format calls it: Sub, SUB
    # The first number that it adds, subtracts, multiplies or divides by (of a BatchNormalization, the mean); None: not
    # known.
    number: float | None = None

    @property
    def takes_0_to_1(self) -> bool:
        """Whether the number makes sense for pixels 0…1 only.

        >>> [FirstScaling(*one).takes_0_to_1 for one in (("Sub", 0.485), ("Sub", 127.5), ("MUL", 2), ("MUL", 1 / 255))]
        [True, False, True, False]
        """
        if not self.number:
            return False
        large = abs(self.number) > 1
        return large if self.kind.upper() == "MUL" else not large


@dataclass(frozen=True)
class GraphFacts:
    """How a graph begins and ends."""

    # By the name of each output, the operator that makes it; what only reshapes or rescales is passed over.
    last_operators: Mapping[str, str] = field(default_factory=dict)
    first_scaling: FirstScaling | None = None
    # By the name of each input and output that holds integers: scale and zero point. Of an ONNX file, those of the
    # outputs that QuantizeLinear makes.
    quantization: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    metadata: FileMetadata = field(default_factory=FileMetadata)
