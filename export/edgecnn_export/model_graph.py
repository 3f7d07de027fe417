"""Operators and tensors of a model file, the same for every container, and what the file says about itself."""

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

# Bits of one element; dtypes are called as numpy calls them.
_BITS = {
    "bool": 8,
    "int4": 4, "uint4": 4, "int2": 2,
    "int8": 8, "uint8": 8, "float8": 8,
    "int16": 16, "uint16": 16, "float16": 16, "bfloat16": 16,
    "int32": 32, "uint32": 32, "float32": 32,
    "int64": 64, "uint64": 64, "float64": 64, "complex64": 64,
    "complex128": 128,
}  # fmt: skip

TensorShape = tuple[int, ...] | None

FLOATS = frozenset({"float16", "bfloat16", "float32", "float64"})

# Where such an operator reads a stored tensor, it only unpacks weights: they count for the operator that uses them.
_UNPACKING = frozenset(
    {"DEQUANTIZE", "DENSIFY", "RESHAPE", "TRANSPOSE", "DequantizeLinear", "Cast", "Reshape", "Transpose"}
)
# Scales and zero points, which stand beside the first input of these, are no weights.
_SCALING = frozenset({"QuantizeLinear", "DequantizeLinear"})


@dataclass(frozen=True)
class Quantization:
    """`real = scale * (stored - zero_point)`, one pair for the tensor or one for each slice along `axis`."""

    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    axis: int | None = None

    @property
    def per_channel(self) -> bool:
        """Whether each channel has a scale of its own."""
        return len(self.scales) > 1


@dataclass(frozen=True)
class Tensor:
    """One tensor; `shape` is None where the file does not say it, an open batch counts as 1."""

    name: str
    dtype: str
    shape: tuple[int, ...] | None
    constant: bool = False
    static: bool = True  # no size is left open, but for the batch
    quantization: Quantization | None = None
    stored: int = 0  # bytes in the file, for a constant
    values: tuple[int, ...] = ()  # of a short integer constant: axes, paddings, sizes

    @property
    def elements(self) -> int | None:
        """How many values it holds, if known."""
        return None if self.shape is None else math.prod(self.shape)

    @property
    def size(self) -> int | None:
        """Bytes in memory, if known."""
        if self.elements is None or self.dtype not in _BITS:
            return None
        return (self.elements * _BITS[self.dtype] + 7) // 8


@dataclass(frozen=True)
class Operator:
    """One operator; tensors are known by their number in the graph, an input that was left out is None."""

    number: int
    kind: str  # CONV_2D in TFLite, Conv in ONNX; the custom code of a custom operator
    name: str
    inputs: tuple[int | None, ...]
    outputs: tuple[int, ...]
    macs: int | None = 0  # multiply-accumulates of one image; None where a shape is not known
    custom: bool = False  # not of the container's own set
    activation: str | None = None  # fused into the operator
    dilation: tuple[int, int] = (1, 1)
    axis: int | None = None
    plain_weights: bool = True  # False for a packed weights format of FULLY_CONNECTED


@dataclass(frozen=True)
class Graph:
    """The main graph of a model, its operators in the order in which they run."""

    version: str  # of the schema, or the opset
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    other_graphs: int = 0  # bodies of loops and branches, which are not looked into
    # The oldest release that has all of its operators: of TensorFlow's own interpreter for TFLite, of ONNX Runtime for
    # ONNX. None where the file does not tell.
    oldest_release: str | None = None

    @property
    def counts(self) -> list[tuple[str, int]]:
        """Kinds of operators and how often each occurs, the commonest first."""
        return Counter(operator.kind for operator in self.operators).most_common()

    @property
    def macs(self) -> int | None:
        """Multiply-accumulates of one image, None where a shape that counts is not known."""
        known = [operator.macs for operator in self.operators if operator.macs is not None]
        return sum(known) if len(known) == len(self.operators) else None

    @property
    def parameters(self) -> int:
        """Weights as the file stores them: a folded batch norm no longer counts, shapes and axes never do."""
        return sum(self.weights_of(operator)[0] for operator in self.operators)

    def weights_of(self, operator: Operator) -> tuple[int, int]:
        """Return how many weights an operator brings, and their bytes in the file.

        A constant that several operators share counts for the first.
        """
        tensors = self.constants_of(operator)
        weights = sum(tensor.elements or 0 for tensor in tensors if tensor.dtype in FLOATS or tensor.quantization)
        return weights, sum(tensor.stored for tensor in tensors)

    def constants_of(self, operator: Operator) -> list[Tensor]:
        """Return the stored tensors that count for an operator, looking through what unpacks them."""
        return [self.tensors[number] for number in self._constants[operator.number]]

    def activations_of(self, operator: Operator) -> list[Tensor]:
        """Return the tensors that an operator reads and writes, without the stored ones."""
        numbers = [number for number in (*operator.inputs, *operator.outputs) if number is not None]
        return [self.tensors[number] for number in numbers if number not in self._origins]

    @cached_property
    def producer(self) -> dict[int, Operator]:
        """The operator that makes each tensor."""
        return {number: operator for operator in self.operators for number in operator.outputs}

    @cached_property
    def unpacking(self) -> frozenset[int]:
        """Numbers of the operators that only unpack stored weights."""
        return frozenset(operator.number for operator in self.operators if self._unpacks(operator, self._origins))

    @staticmethod
    def _unpacks(operator: Operator, origins: Mapping[int, int]) -> bool:
        known = operator.kind in _UNPACKING and not operator.custom
        return known and bool(operator.inputs) and operator.inputs[0] in origins

    @cached_property
    def _origins(self) -> dict[int, int]:
        """The stored tensor behind each tensor that is stored, or unpacked from one that is."""
        origins = {number: number for number, tensor in enumerate(self.tensors) if tensor.constant}
        for operator in self.operators:
            if self._unpacks(operator, origins) and operator.inputs[0] is not None:
                # What else such an operator reads are scales and sizes.
                for number in operator.outputs:
                    origins.setdefault(number, origins[operator.inputs[0]])
        return origins

    @cached_property
    def _constants(self) -> list[list[int]]:
        """For each operator, the numbers of the stored tensors that count for it."""
        seen: set[int] = set()
        result: list[list[int]] = []
        for operator in self.operators:
            read = operator.inputs[:1] if operator.kind in _SCALING else operator.inputs
            found = (
                () if operator.number in self.unpacking else (self._origins.get(n, -1) for n in read if n is not None)
            )
            result.append([number for number in dict.fromkeys(found) if number >= 0 and number not in seen])
            seen.update(result[-1])
        return result


@dataclass(frozen=True)
class FileMetadata:
    """The fields of official metadata that a user asks about; what the file leaves out is None or empty."""

    name: str | None
    description: str | None
    version: str | None
    author: str | None
    licence: str | None
    mean: tuple[float, ...]  # of the input: (pixel - mean) / std
    std: tuple[float, ...]
    files: tuple[str, ...]  # associated files, such as the labels


@dataclass(frozen=True)
class ModelContents:
    """What a model file holds."""

    graph: Graph
    manifest: str | bytes | None  # the JSON of edgecnn's manifest
    metadata: FileMetadata | None = None


# Multiply-accumulates of one operator, from the shapes of its tensors. Counted are convolutions and matrix products,
# where nearly all of the work is; the rest counts 0, as in the papers whose figures these are compared with.


def convolution_macs(output: TensorShape, *, kernel: TensorShape) -> int | None:
    """Every output value sums over `kernel`: the window and the input channels of one filter.

    >>> convolution_macs((1, 26, 26, 32), kernel=(3, 3, 1))
    194688
    """
    return None if output is None or kernel is None else math.prod(output) * math.prod(kernel)


def transposed_convolution_macs(source: TensorShape, *, kernel: TensorShape) -> int | None:
    """Every input value is spread over `kernel`: the window and the output channels."""
    return convolution_macs(source, kernel=kernel)


def matrix_product_macs(output: TensorShape, *, inner: int | None) -> int | None:
    """Every output value sums over the inner dimension.

    >>> matrix_product_macs((1, 128), inner=9216)
    1179648
    """
    return None if output is None or inner is None else math.prod(output) * inner


def inner_size(left: TensorShape, *, transposed: bool = False) -> int | None:
    """Return the dimension of the left matrix that a product sums over."""
    if not left:
        return None
    return left[-2] if transposed and len(left) > 1 else left[-1]
