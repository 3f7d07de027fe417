"""The float32 TFLite file that the integer files are made of."""

import math
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from edgecnn_export.int8.quantizable import FloatOperator
from edgecnn_export.tflite.flatbuffer import operator_name, pack, unpack
from edgecnn_runtime.system.cpu import available_cpus
from edgecnn_runtime.system.native_output import native_output_kept

# Where the output channels stand in the weights of the operators that have some.
_CHANNEL_AXIS = {"CONV_2D": 0, "FULLY_CONNECTED": 0, "DEPTHWISE_CONV_2D": 3}


@dataclass(frozen=True)
class TFLiteGraph:
    """A float32 TFLite model with one input and one output: a `QuantizableGraph`."""

    content: bytes

    @cached_property
    def pixels(self) -> str:
        """The name of the input tensor."""
        return str(self._graph.tensors[self._graph.inputs[0]].name.decode())

    @cached_property
    def operators(self) -> tuple[FloatOperator, ...]:
        """The operators in the order in which they run."""
        return tuple(self._constants)

    def activations(self, images: NDArray[np.uint8]) -> Iterator[Mapping[str, NDArray[np.float32]]]:
        """Run images; see `QuantizableGraph`."""
        with warnings.catch_warnings(), native_output_kept():
            # It is meant for this.
            warnings.filterwarnings("ignore", message="Warning: Enabling `experimental_preserve_all_tensors`")
            interpreter = Interpreter(
                model_content=self.content, num_threads=available_cpus(), experimental_preserve_all_tensors=True
            )
            interpreter.allocate_tensors()
        numbers = {details["name"]: details["index"] for details in interpreter.get_tensor_details()}
        names = [self.pixels, *(name for operator in self.operators for name in operator.outputs)]
        # Of a part that nobody reads, of a SPLIT say, the kernels leave nothing behind.
        unread = {name: np.zeros(1, np.float32) for name in set(names) - self._read}
        for image in images:
            interpreter.set_tensor(numbers[self.pixels], image[np.newaxis].astype(np.float32))
            interpreter.invoke()
            yield {name: interpreter.get_tensor(numbers[name]) for name in names if name not in unread} | unread

    def weights(self, operator: FloatOperator) -> NDArray[np.float32]:
        """The weights of an operator, `(output channels, positions, input channels)`."""
        number, _ = self._constants[operator]
        values, axis = self._values(number), _CHANNEL_AXIS[operator.kind]
        first = np.moveaxis(values, axis, 0)
        return first.reshape(len(first), -1, 1 if operator.depthwise else values.shape[-1])

    def positions(self, operator: FloatOperator) -> int:
        """The number of positions in the output of an operator, each with all channels."""
        shape = next(t.shape for t in self._graph.tensors if t.name.decode() == operator.output)
        return math.prod(int(size) for size in shape[:-1])

    def bias(self, operator: FloatOperator) -> NDArray[np.float32] | None:
        """The biases of an operator, `(output channels,)`."""
        _, number = self._constants[operator]
        return None if number is None else self._values(number)

    def changed(
        self, weights: Mapping[FloatOperator, NDArray[np.float32]], biases: Mapping[FloatOperator, NDArray[np.float32]]
    ) -> "TFLiteGraph":
        """The same graph with other constants."""
        model = unpack(self.content)
        for operator, values in weights.items():
            number, _ = self._constants[operator]
            axis, shape = _CHANNEL_AXIS[operator.kind], tuple(self._graph.tensors[number].shape)
            rest = shape[:axis] + shape[axis + 1 :]
            _replace(model, number, np.moveaxis(values.reshape(shape[axis], *rest), 0, axis))
        for operator, values in biases.items():
            _, bias = self._constants[operator]
            if bias is not None:
                _replace(model, bias, values)
        return TFLiteGraph(pack(model))

    @cached_property
    def _model(self) -> Any:
        """The `ModelT` of the schema; to be read, not changed."""
        return unpack(self.content)

    @property
    def _graph(self) -> Any:
        return self._model.subgraphs[0]

    @cached_property
    def _constants(self) -> dict[FloatOperator, tuple[int, int | None]]:
        """Each operator with the numbers of its weights and its bias; -1 where it has no weights."""
        constants = {}
        for operator in self._graph.operators:
            kind = operator_name(self._model, operator)
            inputs = [int(number) for number in operator.inputs if number >= 0]
            weighted = kind in _CHANNEL_AXIS and self._is_constant(inputs[1])
            outputs = tuple(self._graph.tensors[number].name.decode() for number in operator.outputs)
            computed = tuple(
                self._graph.tensors[number].name.decode()
                for number in inputs
                if not self._is_constant(number) and self._graph.tensors[number].type == schema.TensorType.FLOAT32
            )
            described = FloatOperator(
                kind, _label(outputs[0]), computed, outputs, weighted, kind.startswith("DEPTHWISE")
            )
            constants[described] = (
                inputs[1] if weighted else -1,
                inputs[2] if weighted and len(inputs) > 2 and self._is_constant(inputs[2]) else None,
            )
        return constants

    @cached_property
    def _read(self) -> set[str]:
        """The names of the tensors that an operator reads, or that the graph gives."""
        numbers = {*self._graph.outputs, *(number for each in self._graph.operators for number in each.inputs)}
        return {self._graph.tensors[number].name.decode() for number in numbers if number >= 0}

    def _is_constant(self, number: int) -> bool:
        data = self._model.buffers[self._graph.tensors[number].buffer].data
        return data is not None and len(data) > 0

    def _values(self, number: int) -> NDArray[np.float32]:
        tensor = self._graph.tensors[number]
        return np.frombuffer(bytes(self._model.buffers[tensor.buffer].data), np.float32).reshape(tensor.shape)


# Of `tf.nn.moments`, inside a layer that normalizes; no name of a layer.
_MOMENTS = "moments"


def _label(output: str) -> str:
    """Name an operator after the layer of Keras that the converter made it of, and that it has given a number.

    >>> _label("mnist_1/core_1/conv2d_4_1/Relu;mnist_1/core_1/conv2d_4_1/BiasAdd"), _label("net_1/p_re_lu_1_2/add")
    ('conv2d_4', 'p_re_lu_1')
    >>> _label("net_1/layer_normalization_1/moments/SquaredDifference")
    'layer_normalization'
    """
    parts = [re.sub(r"_\d+$", "", part) for part in output.split(";")[0].split("/") if part != _MOMENTS]
    return parts[-2] if len(parts) > 1 else parts[0]


def _replace(model: Any, number: int, values: NDArray[Any]) -> None:
    """Change a constant tensor, and no other that has the same values and so shares its buffer."""
    tensor = model.subgraphs[0].tensors[number]
    data = np.frombuffer(np.ascontiguousarray(values, np.float32).tobytes(), np.uint8)
    if sum(other.buffer == tensor.buffer for graph in model.subgraphs for other in graph.tensors) == 1:
        model.buffers[tensor.buffer].data = data
        return
    buffer = schema.BufferT()
    buffer.data = data
    model.buffers.append(buffer)
    tensor.buffer = len(model.buffers) - 1
