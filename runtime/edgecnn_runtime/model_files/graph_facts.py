"""What a classifier needs to know of a stranger's graph beyond the shapes of its tensors."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from edgecnn_runtime.pixel_scaling import PixelScaling


@dataclass(frozen=True)
class Said:
    """What other tools have written into a model file about it; None where they left it out."""

    labels: tuple[str, ...] | None = None
    scaling: PixelScaling | None = None
    grey: bool | None = None
    whence: str = ""  # such as "TFLite Metadata"


@dataclass(frozen=True)
class GraphFacts:
    """How a graph begins and ends."""

    # By the name of each output, the operator that makes it; what only reshapes or rescales is passed over.
    last_operators: Mapping[str, str] = field(default_factory=dict)
    # The operator that scales the pixels, if the graph begins with one.
    first_scaling: str | None = None
    # By the name of each output that QuantizeLinear makes: scale and zero point.
    quantized_outputs: Mapping[str, tuple[float, int]] = field(default_factory=dict)
    said: Said = field(default_factory=Said)
