"""Integer TFLite from the float32 graph, by LiteRT's own quantizer: int8, and int8 weights with int16 activations.

The TensorFlow converter quantizes a whole model or none of it, measures ranges by extremes only, and converts anew
for each attempt. LiteRT's quantizer takes the converted float32 file and the ranges, decides operator by operator,
and needs a fraction of a second; where both do the same, the files gave the same probabilities to the last digit.

The last layer computes in float32, from weights of 8 bits. In 8 bits the logits of two classes are often the same
step, and the softmax then names two winners. Its weights have one scale, and a DEQUANTIZE that the interpreter runs
once, when it opens the file; where they are many, the layer rounds its input to 8 bits for each image instead, which is
quicker and needs no copy of the weights in float32. Of the forms without ties these two open in every interpreter that
was tried, back to tflite-runtime's (benchmarks/INTEROP.md). Files for processors that know integers only end otherwise:
see `Io`.
"""

import re
import warnings
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgecnn_export.formats import Io
from edgecnn_export.int8.activation_statistics import only_in_float
from edgecnn_export.int8.bias_correction import correct_biases
from edgecnn_export.int8.quantizable import FloatOperator, Statistics, tail
from edgecnn_export.tflite.flatbuffer import operator_name, pack, unpack
from edgecnn_export.tflite.graph import TFLiteGraph
from edgecnn_export.tflite.integer_operators import make_integer
from edgecnn_export.tflite.operator_versions import versioned
from edgecnn_runtime.errors import GateError, MissingExtraError

# Operators whose weights can be stored in 8 bits beside float32 activations.
_HEADS = {"FULLY_CONNECTED", "CONV_2D"}
# From how many weights on a dense head computes with the 8-bit weights as they are. TFLite-Micro refuses that form, so
# that what fits a microcontroller does not have it: as float32 these weights are 256 kB.
_MANY_WEIGHTS = 64_000
# What the tail may consist of to be computed in 16 bits; the last four make [1 - p, p] of a sigmoid's p.
_SIXTEEN_BITS = {"FULLY_CONNECTED", "SOFTMAX", "RESHAPE", "LOGISTIC", "MUL", "ADD", "CONCATENATION"}


def without_integer_form(graph: TFLiteGraph, statistics: Statistics, *, bits: int = 8) -> tuple[FloatOperator, ...]:
    """Return the operators that stay float32 whatever LiteRT's quantizer is told, PRELU among them.

    With the others that the same layer was made of: a SELU half of which was rounded to 8 bits costs accuracy that one
    in float32 keeps.

    Args:
        graph: float32.
        statistics: of its activations, on any images.
        bits: of the activations, 8 or 16.

    Raises:
        GateError: an operator with weights meets numbers on the images that are not finite.
        MissingExtraError: the quantizer is not installed.
    """
    floats = only_in_float(graph, statistics)
    tail = {operator.output for operator in float_tail(graph)} if bits == 8 else set()
    while True:
        model = _recipe(graph, floats, bits=bits).quantized(statistics)
        stayed = {name for _, name in _in_float32(model) if name not in tail}
        layers = {operator.label for operator in graph.operators if operator.output in stayed}
        found = tuple(
            operator
            for operator in graph.operators
            if operator in floats or operator.output in stayed or (operator.label in layers and not operator.weighted)
        )
        if found == floats:
            return floats
        # What lies between these may not be what an integer kernel takes any more.
        floats = found


def quantize(
    graph: TFLiteGraph,
    statistics: Statistics,
    *,
    bits: int = 8,
    io: Io = Io.UINT8,
    in_float: Collection[FloatOperator] = (),
    biases_learnt: bool = False,
) -> bytes:
    """Quantize weights to int8 and activations per tensor to int8 or int16, with corrected biases.

    Weights have one scale per channel, those of dense layers one in all.

    Args:
        graph: float32.
        statistics: of its activations on calibration images.
        bits: of the activations, 8 or 16; with 16, float32 at both ends.
        io: with 8 bits: what goes in and comes out, and how the last layer computes.
        in_float: operators that stay float32; those without an integer form must be among them.
        biases_learnt: as quantization-aware training leaves them; see `correct_biases`.

    Returns:
        The TFLite file.

    Raises:
        GateError: another operator has no integer form.
        MissingExtraError: the quantizer is not installed.
    """
    corrected = correct_biases(
        graph, statistics, in_float=in_float, per_tensor=with_one_scale(graph), biases_learnt=biases_learnt
    )
    recipe = _recipe(corrected, in_float, bits=bits, io=io)
    return recipe.quantize(statistics, integers_only=io is not Io.UINT8)


def _recipe(graph: TFLiteGraph, in_float: Collection[FloatOperator], *, bits: int, io: Io = Io.UINT8) -> "_Recipe":
    recipe = _Recipe(graph.content)
    recipe.activations(".*", bits=bits)
    if bits == 8 and io is Io.UINT8:
        recipe.end_float(graph)
    elif bits == 8 and io is Io.INT8:
        for operator in _tail_of_sixteen(graph):
            recipe.activations(_pattern(operator), bits=16)
    for operator in in_float:
        recipe.keep_float(operator)
    if bits == 16:
        recipe.take_float()
    elif io is Io.UINT8:
        recipe.take_bytes()
    if io is Io.UINT8:
        recipe.give_float(_pattern(graph.operators[-1]))
    return recipe


class _Recipe:
    """What LiteRT's quantizer is to do with the tensors that a pattern matches; later words overrule earlier ones."""

    def __init__(self, content: bytes) -> None:
        try:
            from litert_quantizer import qtyping
            from litert_quantizer.quantizer import AlgorithmName, Quantizer
        except ImportError as error:
            raise MissingExtraError("integer TFLite", package="litert-quantizer", extra="export") from error
        self._types, self._quantizer = qtyping, Quantizer(bytearray(content))
        self._none = AlgorithmName.NO_QUANTIZE
        # The outputs of operators that compute in float32, and of those of them that end the network.
        self._float: set[str] = set()
        self._last: set[str] = set()

    def activations(self, pattern: str, *, bits: int) -> None:
        names, granularity = self._types.TFLOperationName, self._types.QuantGranularity
        self._quantizer.add_static_config(pattern, names.ALL_SUPPORTED, activation_num_bits=bits, weight_num_bits=8)
        # With one per channel, TensorFlow's interpreter 2.5 and tflite-runtime 2.7 answer wrongly without a word.
        self._quantizer.add_static_config(
            pattern, names.FULLY_CONNECTED, bits, weight_num_bits=8, weight_granularity=granularity.TENSORWISE
        )

    def keep_float(self, operator: FloatOperator) -> None:
        every = self._types.TFLOperationName.ALL_SUPPORTED
        self._quantizer.update_quantization_recipe(_pattern(operator), every, algorithm_key=self._none)
        self._float.add(operator.output)

    def end_float(self, graph: TFLiteGraph) -> None:
        """Let the last operators take and give float32, with weights of 8 bits and one scale."""
        every, one_scale = self._types.TFLOperationName.ALL_SUPPORTED, self._types.QuantGranularity.TENSORWISE
        for operator in float_tail(graph):
            self.keep_float(operator)
            self._last.add(operator.output)
            if not operator.weighted:
                continue
            if operator.kind == "FULLY_CONNECTED" and graph.weights(operator).size > _MANY_WEIGHTS:
                self._quantizer.add_dynamic_config(_pattern(operator), every, 8, one_scale)
            else:
                self._quantizer.add_weight_only_config(_pattern(operator), every, 8, one_scale)

    def take_bytes(self) -> None:
        types = self._types
        uint8 = types.TensorQuantizationConfig(num_bits=8, symmetric=False, dtype=types.TensorDataType.UINT)
        config = types.OpQuantizationConfig(
            activation_tensor_config=uint8, compute_precision=types.ComputePrecision.INTEGER
        )
        self._quantizer.update_quantization_recipe(".*", types.TFLOperationName.INPUT, config)

    def take_float(self) -> None:
        self._quantizer.update_quantization_recipe(".*", self._types.TFLOperationName.INPUT, algorithm_key=self._none)

    def give_float(self, pattern: str) -> None:
        self._quantizer.update_quantization_recipe(
            pattern, self._types.TFLOperationName.OUTPUT, algorithm_key=self._none
        )

    def quantize(self, statistics: Statistics, *, integers_only: bool = False) -> bytes:
        model = self.quantized(statistics, integers_only=integers_only)
        _require_integer(model, self._float)
        _scale_freely(model)
        # With the weights inside the flatbuffer, where every interpreter looks for them.
        return versioned(pack(model))

    def quantized(self, statistics: Statistics, *, integers_only: bool = False) -> Any:
        """Return the `ModelT` of the schema, in which an operator without an integer form is as it was."""
        limits = {
            name: {"min": np.array([low], np.float32), "max": np.array([high], np.float32)}
            for name, (low, high) in statistics.ranges.items()
        }
        with warnings.catch_warnings():
            # The quantizer reads the tensors' names from an interpreter that keeps all tensors.
            warnings.filterwarnings("ignore", message="Warning: Enabling `experimental_preserve_all_tensors`")
            done = self._quantizer.quantize(limits, enable_progress_report=False, enable_progress_bar=False)
        model = unpack(bytes(done.quantized_model))
        make_integer(model, statistics.ranges, integers_only=integers_only, but=self._float, last=self._last)
        return model


def _scale_freely(model: Any) -> None:
    """Let 16-bit sums have any scale; the schema's default, which the quantizer leaves, is powers of two only."""
    for operator in model.subgraphs[0].operators:
        if operator_name(model, operator) in ("ADD", "SUB"):
            operator.builtinOptions.potScaleInt16 = False


def float_tail(graph: TFLiteGraph) -> tuple[FloatOperator, ...]:
    """Return what computes in float32: the last operator with weights, where it gives one value a class, and the rest.

    A convolution in front of the average over the image is too much work for that, and its sums have no ties.
    """
    last = tail(graph)
    if not last[0].weighted:
        return ()
    return last if last[0].kind in _HEADS and graph.positions(last[0]) == 1 else last[1:]


def with_one_scale(graph: TFLiteGraph) -> tuple[FloatOperator, ...]:
    """Return the operators whose weights have one scale, those of the float32 tail among them."""
    tail = float_tail(graph)
    return tuple(each for each in graph.operators if each.weighted and (each.kind == "FULLY_CONNECTED" or each in tail))


def _tail_of_sixteen(graph: TFLiteGraph) -> tuple[FloatOperator, ...]:
    last = tail(graph)
    return last if {operator.kind for operator in last} <= _SIXTEEN_BITS else ()


def _pattern(operator: FloatOperator) -> str:
    """Match the outputs of one operator, as the quantizer writes them, and nothing else."""
    return f"^{re.escape(';'.join(operator.outputs))};?$"


def _require_integer(model: Any, in_float: Collection[str]) -> None:
    """Refuse a model in which an operator silently stayed float32."""
    for kind, name in _in_float32(model):
        if name not in in_float:
            raise GateError(
                f"expected operators with an integer form, got {kind} ({name}); export --int8, which leaves it in "
                "float32, or float16, or build the network without it"
            )


def _in_float32(model: Any) -> Iterator[tuple[str, str]]:
    """Yield kind and output of every operator that computes in float32."""
    tensors = model.subgraphs[0].tensors
    for operator in model.subgraphs[0].operators:
        output, kind = tensors[operator.outputs[0]], operator_name(model, operator)
        if output.type == schema.TensorType.FLOAT32 and kind != "DEQUANTIZE":
            yield kind, output.name.decode()
