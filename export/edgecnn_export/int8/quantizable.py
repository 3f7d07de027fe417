"""A float32 graph that can be quantized operator by operator, whatever file it is in."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray


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


def names(graph: QuantizableGraph, operators: Collection[FloatOperator]) -> tuple[str, ...]:
    """Name some operators by their layers, with the kinds where the weights of the layer are not among them."""
    others = {operator.label for operator in graph.operators if operator.weighted and operator not in operators}
    kinds: dict[str, dict[str, None]] = {}
    for operator in operators:
        kinds.setdefault(operator.label, {})[operator.kind] = None
    return tuple(f"{label} ({', '.join(those)})" if label in others else label for label, those in kinds.items())


def tail(graph: QuantizableGraph) -> tuple[FloatOperator, ...]:
    """Return the last operator with weights and what follows it: from features to probabilities."""
    last = max((index for index, operator in enumerate(graph.operators) if operator.weighted), default=0)
    return graph.operators[last:]
