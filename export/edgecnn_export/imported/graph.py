"""A network as plain nodes: what is read from a SavedModel before layers are made of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Output:
    """One output of a node, by the node's position in the graph."""

    node: int
    index: int


Value: TypeAlias = "Output | NDArray[Any]"


@dataclass(frozen=True, eq=False)
class Node:
    """One operation of TensorFlow; `attributes` are those of its definition, as Python values and parts."""

    operator: str  # "Conv2D"
    name: str
    inputs: tuple[Value, ...]
    attributes: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Part:
    """What a loop or a branch computes; the first nodes are its arguments, Placeholders."""

    nodes: tuple[Node, ...]
    outputs: tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class TensorFlowGraph:
    """A network with one input and one output; each node stands behind those it reads."""

    whole: Part  # of one argument, the input, and one output
    input_shape: tuple[int | None, ...]  # with the batch


def constant(value: Any) -> NDArray[Any]:
    """Return a value as the array a node reads."""
    return np.asarray(value)
