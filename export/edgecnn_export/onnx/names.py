"""Short names for what an ONNX model holds, after the layers of Keras that it was made of.

tf2onnx names a tensor by its whole path in TensorFlow's graph, and the quantizer repeats that name up to ten times:
a seventh of a small int8 file was names. `conv2d_4/Conv` is also what a person wants to read in Netron.
"""

import re
from collections.abc import Iterable

import onnx

_WEIGHTED = ("Conv", "Gemm", "MatMul")
_ROLES = {1: "weights", 2: "bias"}
# Keras adds a number to a layer's name where the copy that is converted is built: 1, or more where that is taken.
_NUMBER = re.compile(r"(_1|(?<=[0-9])_[0-9]+)$")


def name_by_layer(model: onnx.ModelProto) -> None:
    """Rename every node, tensor and constant of a converted model; its inputs and outputs keep their names.

    A tensor is called `layer/Operator`, a constant `layer/weights`, `layer/bias` or `layer/constant`; a number is
    added where a name is taken.
    """
    graph = model.graph
    constants = {entry.name: entry for entry in graph.initializer}
    fixed = [value.name for value in (*graph.input, *graph.output)]
    names: dict[str, str] = {name: name for name in fixed}
    taken = set(fixed)

    def named(old: str, wanted: str) -> str:
        if old not in names:
            names[old] = _unused(wanted, taken)
        return names[old]

    for node in graph.node:
        weights = node.input[1:3] if node.op_type in _WEIGHTED else ()
        layer = _layer((*weights, *node.output, *node.input))
        for place, name in enumerate(node.input):
            if name in constants:
                role = _ROLES.get(place, "constant") if node.op_type in _WEIGHTED else "constant"
                named(name, f"{layer}/{role}")
            if name:
                node.input[place] = names[name]
        for place, name in enumerate(node.output):
            node.output[place] = named(name, f"{layer}/{node.op_type}")
        node.name = node.output[0]
    for name, entry in constants.items():
        entry.name = names.get(name, name)
    del graph.value_info[:]  # they have the old names


def layer_of(tensor: str) -> str:
    """Tell the layer from a name that `name_by_layer` gave.

    >>> layer_of("conv2d_4/Conv")
    'conv2d_4'
    """
    return tensor.split("/")[0]


def _layer(names: Iterable[str]) -> str:
    """Tell the layer from the first name that is a path in TensorFlow's graph.

    >>> _layer(["const__31", "StatefulPartitionedCall/mnist_1/core_1/conv2d_4_1/Relu:0"])
    'conv2d_4'
    >>> _layer(["net_1/p_re_lu_1_2/Neg:0"])
    'p_re_lu_1'
    """
    for name in names:
        parts = name.split(":")[0].split("/")
        if len(parts) > 1 and not name.startswith("const"):
            return _NUMBER.sub("", next((part for part in reversed(parts[:-1]) if _NUMBER.search(part)), parts[-2]))
    return "graph"


def _unused(wanted: str, taken: set[str]) -> str:
    name, number = wanted, 1
    while name in taken:
        number += 1
        name = f"{wanted}_{number}"
    taken.add(name)
    return name
