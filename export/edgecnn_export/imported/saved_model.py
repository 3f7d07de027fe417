"""Read a SavedModel as data: its inference function as plain nodes, its variables from the checkpoint beside it.

TensorFlow's own loader runs functions of the file it loads, and a SavedModel may hold operators that read and write
files or call Python. So nothing is loaded here: the protocol buffers are parsed, the calls of functions are put in
place, and what is left becomes layers (`graph_layers`), which knows no operator but those of networks.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from tensorflow.core.protobuf import saved_model_pb2, trackable_object_graph_pb2
from tensorflow.python.framework import op_def_registry

from edgecnn_export.imported.graph import Node, Output, Part, TensorFlowGraph, Value
from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.system.file_kinds import read_file

MODEL_FILE = "saved_model.pb"

_CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
# Loops and branches, with the attributes that name their functions.
_BODIES = {
    **dict.fromkeys(("While", "StatelessWhile"), ("cond", "body")),
    **dict.fromkeys(("If", "StatelessIf"), ("then_branch", "else_branch")),
}
# Operators that give what they read.
_PASSING = frozenset({"Identity", "IdentityN", "ReadVariableOp", "StopGradient", "PreventGradient", "Snapshot"})
# Operators that no network needs in inference, refused wherever they stand, even where no output depends on them.
_FORBIDDEN = frozenset(
    {"PyFunc", "PyFuncStateless", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles", "SaveV2", "Save"}
    | {"SaveSlices", "RestoreV2", "Restore", "RestoreSlice", "MergeV2Checkpoints", "WholeFileReaderV2"}
    | {"TextLineReaderV2", "FixedLengthRecordReaderV2", "TFRecordReaderV2", "TextLineDataset", "TFRecordDataset"}
    | {"FixedLengthRecordDataset", "InitializeTableFromTextFileV2", "PrintV2", "Print", "RpcCall", "SaveDataset"}
    | {"LoadDataset", "CustomCall"}
)
# Deeper than any network that was traced.
_MAX_DEPTH = 64
_MAX_NODES = 100_000


def read_saved_model(folder: Path, *, origin: Path | None = None) -> TensorFlowGraph:
    """Read the function that a SavedModel serves, with all calls put in place and all variables as constants.

    Args:
        folder: with `saved_model.pb` and `variables/`, as TensorFlow 2 writes it (`model.export`, `model.save`,
            `tf.saved_model.save`).
        origin: what messages call it; None: the folder.

    Raises:
        ModelError: damaged, of TensorFlow 1, or without one inference function of one input and one output.
    """
    try:
        return _Reader(folder, origin or folder).read()
    except ModelError:
        raise
    # Whatever the parsers, the checkpoint reader and a graph that does not hold together raise.
    except (DecodeError, tf.errors.OpError, OSError, KeyError, IndexError, TypeError, ValueError, MemoryError) as error:
        raise ModelError(
            f"{origin or folder}: expected a whole SavedModel, got one that cannot be read "
            f"({type(error).__name__}: {error})"
        ) from error


class _Reader:
    """Reads one SavedModel; `_nodes` grows as its functions are walked through."""

    def __init__(self, folder: Path, origin: Path) -> None:
        self._origin = origin
        document = saved_model_pb2.SavedModel()
        document.ParseFromString(read_file(folder / MODEL_FILE))
        graphs = [graph for graph in document.meta_graphs if "serve" in graph.meta_info_def.tags]
        if not graphs:
            raise ModelError(f"{origin}: expected a SavedModel with the tag 'serve', got none")
        self._graph = graphs[0]
        self._objects = self._graph.object_graph_def
        if not self._objects.nodes:
            raise ModelError(
                f"{origin}: expected a SavedModel of TensorFlow 2, got one of TensorFlow 1; "
                "load it there and save it again with tf.saved_model.save"
            )
        self._functions = {function.signature.name: function for function in self._graph.graph_def.library.function}
        self._checkpoint = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
        self._nodes: list[Node] = []

    def read(self) -> TensorFlowGraph:
        signature = self._graph.signature_def[self._signature_name()]
        inputs, outputs = list(signature.inputs.values()), list(signature.outputs)
        if len(inputs) != 1 or len(outputs) != 1:
            raise ModelError(
                f"{self._origin}: expected one input (images) and one output (classes), "
                f"got {len(inputs)} inputs and {len(outputs)} outputs"
            )
        shape = inputs[0].tensor_shape
        input_shape = () if shape.unknown_rank else tuple(size.size if size.size >= 0 else None for size in shape.dim)
        self._nodes.append(Node("Placeholder", "pixels", (), {}))
        function = self._functions[self._served_function()]
        values: list[Value] = [Output(0, 0), *self._captures(function.signature.name)]
        names = [argument.name for argument in function.signature.input_arg]
        arguments: dict[str, list[Value]] = {name: [value] for name, value in zip(names, values, strict=True)}
        outcome = self._walk(function, arguments, depth=0)[0]
        if not isinstance(outcome, Output):
            raise ModelError(f"{self._origin}: expected an output that depends on the image, got a constant")
        return TensorFlowGraph(Part(tuple(self._nodes), (outcome,)), input_shape)

    def _signature_name(self) -> str:
        # Those with two underscores in front are TensorFlow's own.
        names = [name for name in self._graph.signature_def if not name.startswith("__")]
        if "serving_default" in names:
            return "serving_default"
        if len(names) != 1:
            raise ModelError(
                f"{self._origin}: expected a signature 'serving_default', got {', '.join(sorted(names)) or 'none'}"
            )
        return str(names[0])

    def _served_function(self) -> str:
        """Return the name of the function behind the signature."""
        root = self._objects.nodes[0]
        signatures = next((child.node_id for child in root.children if child.local_name == "signatures"), None)
        if signatures is None:
            raise ModelError(f"{self._origin}: expected a SavedModel with signatures, got none")
        name = self._signature_name()
        node = next(child.node_id for child in self._objects.nodes[signatures].children if child.local_name == name)
        return str(self._objects.nodes[node].bare_concrete_function.concrete_function_name)

    def _captures(self, function: str) -> Iterator[NDArray[Any]]:
        """Yield the values that a function reads beside its arguments: variables and constants, in order."""
        keys = _checkpoint_keys(self._objects, self._checkpoint)
        constants = {node.name: node for node in self._graph.graph_def.node if node.op == "Const"}
        for number in self._objects.concrete_functions[function].bound_inputs:
            kind = self._objects.nodes[number].WhichOneof("kind")
            if kind == "variable":
                yield np.asarray(self._checkpoint.get_tensor(keys[number]))
            elif kind == "constant":
                name = self._objects.nodes[number].constant.operation
                yield tf.make_ndarray(constants[name].attr["value"].tensor)
            else:
                raise ModelError(
                    f"{self._origin}: expected a network that reads nothing but its variables, got a {kind} beside "
                    "them (a table or a file, say)"
                )

    def _walk(self, function: Any, arguments: Mapping[str, list[Value]], *, depth: int) -> list[Value]:
        """Put the nodes of a function behind those that are there; return what it returns."""
        if depth > _MAX_DEPTH:
            raise ModelError(f"{self._origin}: expected functions that end, got {function.signature.name} in a circle")
        known: dict[str, list[Value]] = dict(arguments)
        for definition in _in_order(function.node_def):
            inputs = [_read(known, name) for name in definition.input if not name.startswith("^")]
            values = self._values(definition, inputs, depth=depth)
            for group, (first, count) in _output_groups(definition).items():
                known[f"{definition.name}:{group}"] = values[first : first + count]
        return [_read(known, function.ret[argument.name]) for argument in function.signature.output_arg]

    def _values(self, definition: Any, inputs: list[Value], *, depth: int) -> list[Value]:
        """Return the outputs of one operation."""
        if definition.op in _FORBIDDEN:
            raise ModelError(
                f"{self._origin}: expected operators that only compute, got {definition.op} in {definition.name!r}, "
                "which reaches for files or code outside the model; do not run it"
            )
        if definition.op in _CALLS:
            inner = self._functions[definition.attr["f"].func.name]
            names = [argument.name for argument in inner.signature.input_arg]
            arguments = {name: [value] for name, value in zip(names, inputs, strict=True)}
            return self._walk(inner, arguments, depth=depth + 1)
        if definition.op in _PASSING:
            return inputs
        if definition.op == "Const":
            return [tf.make_ndarray(definition.attr["value"].tensor)]
        if len(self._nodes) >= _MAX_NODES:
            raise ModelError(f"{self._origin}: expected at most {_MAX_NODES:,} operations, got more")
        attributes = _attributes(definition)
        for name in _BODIES.get(definition.op, ()):
            attributes[name] = self._part(definition.attr[name].func.name, depth=depth)
        self._nodes.append(Node(definition.op, definition.name, tuple(inputs), attributes))
        return [Output(len(self._nodes) - 1, index) for index in range(_outputs(definition))]

    def _part(self, name: str, *, depth: int) -> Part:
        """Return the body of a loop or a branch, whose nodes are counted anew."""
        function, outside = self._functions[name], self._nodes
        names = [argument.name for argument in function.signature.input_arg]
        self._nodes = [Node("Placeholder", argument, (), {}) for argument in names]
        arguments: dict[str, list[Value]] = {argument: [Output(number, 0)] for number, argument in enumerate(names)}
        outcome = self._walk(function, arguments, depth=depth + 1)
        part, self._nodes = Part(tuple(self._nodes), tuple(outcome)), outside
        return part


def _checkpoint_keys(objects: Any, checkpoint: Any) -> dict[int, str]:
    """Find the checkpoint's name of each variable, as TensorFlow does: by the way to it from the root."""
    graph = trackable_object_graph_pb2.TrackableObjectGraph()
    graph.ParseFromString(checkpoint.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
    keys: dict[int, str] = {}
    waiting, seen = deque([(0, 0)]), {0}
    while waiting:
        number, stored = waiting.popleft()
        for attribute in graph.nodes[stored].attributes:
            if attribute.name == "VARIABLE_VALUE":
                keys[number] = attribute.checkpoint_key
        children = {child.local_name: child.node_id for child in graph.nodes[stored].children}
        for child in objects.nodes[number].children:
            if child.local_name in children and child.node_id not in seen:
                seen.add(child.node_id)
                waiting.append((child.node_id, children[child.local_name]))
    return keys


def _in_order(definitions: Any) -> list[Any]:
    """Sort the nodes of a function so that each stands behind those it reads; ValueError where they run in a circle."""
    by_name = {definition.name: definition for definition in definitions}
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for definition in definitions:
        read = {name.lstrip("^").partition(":")[0] for name in definition.input}
        sorter.add(definition.name, *(read & by_name.keys()))
    return [by_name[name] for name in sorter.static_order()]


def _read(known: Mapping[str, list[Value]], reference: str) -> Value:
    """Return what "node:output:0", or the name of an argument, stands for."""
    name, _, index = reference.rpartition(":")
    return known[name][int(index)] if name else known[reference][0]


def _output_groups(definition: Any) -> dict[str, tuple[int, int]]:
    """Return, of each group of an operation's outputs, where it begins and how many there are."""
    known = op_def_registry.get(definition.op)
    if known is None or not known.output_arg:
        return {"output": (0, 1)}
    groups, first = {}, 0
    for group in known.output_arg:
        count = 1
        if group.number_attr:
            count = int(definition.attr[group.number_attr].i)
        elif group.type_list_attr:
            count = len(definition.attr[group.type_list_attr].list.type)
        groups[group.name] = (first, count)
        first += count
    return groups


def _outputs(definition: Any) -> int:
    """Count the outputs of an operation."""
    return sum(count for _, count in _output_groups(definition).values())


def _attributes(definition: Any) -> dict[str, Any]:
    """Return the attributes of an operation; a file may leave out those that have their default."""
    known = op_def_registry.get(definition.op)
    defaults = {} if known is None else {attribute.name: attribute.default_value for attribute in known.attr}
    return {name: _attribute(value) for name, value in {**defaults, **dict(definition.attr)}.items()}


def _attribute(value: Any) -> Any:
    """Return an attribute of an operation as a Python value."""
    kind = value.WhichOneof("value")
    if kind == "s":
        return value.s.decode(errors="replace")
    if kind == "list":
        return [*value.list.i, *value.list.f, *(text.decode(errors="replace") for text in value.list.s)]
    if kind == "type":
        return _dtype(value.type)
    return getattr(value, kind) if kind in ("i", "f", "b") else None


def _dtype(number: int) -> Any:
    """Return a type of TensorFlow as numpy's; None where numpy has none."""
    try:
        return np.dtype(tf.dtypes.as_dtype(number).as_numpy_dtype)
    except TypeError:
        return None
