"""A float32 graph that can be quantized operator by operator, in whatever file, and what a container does it with."""

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

# Of a tensor's name: lowest and highest value.
Ranges = Mapping[str, tuple[float, float]]
# Between the ranges of two halves of the images, as a share: beyond it the images are too few.
_DIFFERENT = 0.4


@dataclass(frozen=True)
class FloatOperator:
    """One operator of a graph; its tensors are known by name."""

    kind: str  # as the format calls it: CONV_2D, Conv
    label: str  # for people: the layer that it was made of
    inputs: tuple[str, ...]  # activations only
    outputs: tuple[str, ...]
    weighted: bool = False  # its weights are quantized, one scale per output channel
    depthwise: bool = False  # each output channel reads one input channel

    @property
    def output(self) -> str:
        """The first output; only operators that split have more."""
        return self.outputs[0]


class QuantizableGraph(Protocol):
    """A float32 model with one input and one output."""

    @property
    def pixels(self) -> str:
        """The name of the input."""

    @property
    def operators(self) -> tuple[FloatOperator, ...]:
        """In the order in which they run."""

    def activations(self, images: NDArray[np.uint8]) -> Iterator[Mapping[str, NDArray[np.float32]]]:
        """Run images `(N, height, width, channels)`, 0…255, one by one.

        Yields:
            For each image the input and the outputs of every operator, by name, `(1, …, channels)`; valid until the
            next image.
        """

    def weights(self, operator: FloatOperator) -> NDArray[np.float32]:
        """The weights of a weighted operator, `(output channels, positions, input channels)`."""

    def bias(self, operator: FloatOperator) -> NDArray[np.float32] | None:
        """The biases of a weighted operator, `(output channels,)`; None where it has none."""

    def changed(
        self, weights: Mapping[FloatOperator, NDArray[np.float32]], biases: Mapping[FloatOperator, NDArray[np.float32]]
    ) -> Self:
        """The same graph with other constants, in the shapes of `weights` and `bias`."""


@dataclass(frozen=True)
class Statistics:
    """Of the input and of every operator's outputs, by the tensor's name."""

    ranges: Ranges
    # Over images and positions, (channels,), for the inputs of operators with weights.
    means: Mapping[str, NDArray[np.float64]]
    # Where a range goes to with every second image alone, and with the others.
    halves: tuple[Ranges, Ranges]

    def disagreement(self, unused: Collection[str] = ()) -> str | None:
        """Say which range two disjoint halves of the images see clearly differently; None where they agree.

        Args:
            unused: names of tensors whose range does not matter.
        """
        names = [name for name in self.halves[-1] if name not in unused]
        shares = {name: _difference(*(half[name] for half in self.halves)) for name in names}
        worst = max(shares, key=lambda name: shares[name], default="")
        if shares.get(worst, 0.0) <= _DIFFERENT:
            return None
        return (
            f"calibration: two halves of the images give ranges that differ by {shares[worst]:.0%} "
            f"({worst.split(';')[0]}); calibrate on more images, and on what the device will see"
        )


class Quantizer(Protocol):
    """One container's way of making an integer file of one network."""

    @property
    def suffix(self) -> str:
        """Of the file, such as `.tflite`."""

    @property
    def graph(self) -> QuantizableGraph:
        """The float32 graph."""

    def without_integer_form(self, statistics: Statistics) -> Sequence[FloatOperator]:
        """Return the operators that stay float32 in every file."""

    def file(self, statistics: Statistics, in_float: Sequence[FloatOperator]) -> bytes:
        """Quantize it, but for the operators named.

        Raises:
            GateError: another operator must be an integer one and has no such form.
            MissingExtraError: the quantizer is not installed.
        """


def names(graph: QuantizableGraph, in_float: Collection[FloatOperator]) -> tuple[str, ...]:
    """Name some operators by their layers, with the kinds where the weights of the layer are not among them."""
    partly = {operator.label for operator in graph.operators if operator.weighted and operator not in in_float}
    kinds: dict[str, dict[str, None]] = {}
    for operator in in_float:
        kinds.setdefault(operator.label, {})[operator.kind] = None
    return tuple(f"{label} ({', '.join(those)})" if label in partly else label for label, those in kinds.items())


def tail(graph: QuantizableGraph) -> tuple[FloatOperator, ...]:
    """Return the last operator with weights and what follows it: from features to probabilities."""
    last = max((index for index, operator in enumerate(graph.operators) if operator.weighted), default=0)
    return graph.operators[last:]


def _difference(first: tuple[float, float], second: tuple[float, float]) -> float:
    """Tell by which share of the wider of two ranges the other is narrower."""
    widths = sorted((first[1] - first[0], second[1] - second[0]))
    # The exponential inside an ELU may be infinite where nobody looks at it.
    return 1 - widths[0] / widths[1] if 0 < widths[1] < math.inf else 0.0
