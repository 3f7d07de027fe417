"""How a TFLite graph begins and ends, and what the official TFLite Metadata says, without the package flatbuffers.

Field numbers are those of `schema.fbs` (TensorFlow Lite) and `metadata_schema.fbs` (TensorFlow Lite Support).
"""

import contextlib
import json
import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from edgecnn_runtime.errors import InputError, ModelError
from edgecnn_runtime.label_files import parse_labels
from edgecnn_runtime.model_files.flatbuffer import Table
from edgecnn_runtime.model_files.graph_facts import FileMetadata, FirstScaling, GraphFacts
from edgecnn_runtime.model_files.tflite_file import read_associated_file
from edgecnn_runtime.model_files.ultralytics import parsed, ultralytics_metadata
from edgecnn_runtime.pixel_scaling import PixelScaling

_OPERATOR_CODES, _SUBGRAPHS, _BUFFERS, _METADATA = 1, 2, 4, 6
_TENSORS, _INPUTS, _OUTPUTS, _OPERATORS = 0, 1, 2, 3
# Members of BuiltinOperator that matter here; others are named by their number.
_KINDS = {
    0: "ADD", 1: "AVERAGE_POOL_2D", 3: "CONV_2D", 9: "FULLY_CONNECTED", 11: "L2_NORMALIZATION", 14: "LOGISTIC",
    17: "MAX_POOL_2D", 18: "MUL", 19: "RELU", 21: "RELU6", 25: "SOFTMAX", 40: "MEAN", 41: "SUB", 42: "DIV",
    48: "TOPK_V2", 50: "LOG_SOFTMAX", 82: "REDUCE_MAX",
}  # fmt: skip
# RESHAPE, SQUEEZE, EXPAND_DIMS, CAST, DEQUANTIZE, QUANTIZE
_PASSING = frozenset({22, 43, 70, 53, 6, 114})
_SCALING = frozenset({"ADD", "MUL", "SUB", "DIV"})
_QUANTIZE, _CUSTOM = 114, 32
_FLOAT32 = 0  # of TensorType
_LIMITS = {3: (0, 255), 9: (-128, 127)}  # of UINT8 and INT8
# Operators looked back on from an output.
_STEPS = 20
# Inputs, and outputs, of a graph that are looked at.
_MOST_PORTS = 1000
# Files of labels, one for each language.
_MOST_FILES = 100
_METADATA_NAME = "TFLITE_METADATA"
_TENSOR_AXIS_LABELS = 2
_ULTRALYTICS_FILE = "metadata.json"
_IMAGE_PROPERTIES, _GREY, _NORMALIZATION = 2, 2, 1


def read_tflite_facts(content: bytes) -> GraphFacts:
    """Read a `.tflite` file; nothing is known of a damaged one, which the interpreter refuses anyway.

    Raises:
        ModelError: its labels are larger than any.
    """
    try:
        model = Table.root(content)
        graph = next(model.tables(_SUBGRAPHS))
        facts = _facts(model, graph)
    except (ValueError, IndexError, StopIteration, struct.error, OverflowError):
        return GraphFacts()
    # Without the package tflite-support, Ultralytics appends a file and no TFLite Metadata that would name it.
    own = ultralytics_metadata(_entries(read_associated_file(content, _ULTRALYTICS_FILE)), source=_ULTRALYTICS_FILE)
    return replace(facts, metadata=own or _metadata(content, model))


def _facts(model: Table, graph: Table) -> GraphFacts:
    codes = list(model.tables(_OPERATOR_CODES))
    kinds = [_kind(code) for code in codes]
    tensors = list(graph.tables(_TENSORS))
    operators = list(graph.tables(_OPERATORS))
    inputs_of, outputs_of = ([operator.numbers(field, "i4") for operator in operators] for field in (1, 2))
    # Each list has its own place in an honest file; in another, a million operators may share a long one.
    if sum(map(len, (*inputs_of, *outputs_of))) > len(model.content):
        raise ValueError("lists of tensors that overlap")
    reads = [list(map(int, indices)) for indices in inputs_of]
    makers = {int(index): number for number, indices in enumerate(outputs_of) for index in indices}

    def last_operator(tensor: int) -> str:
        for _ in range(_STEPS):
            number = makers.get(tensor)
            if number is None:
                return "the input"
            kind = kinds[operators[number].number(0, "I")]
            if kind not in _PASSING or not reads[number]:
                return _KINDS.get(kind, f"operator {kind}")
            tensor = reads[number][0]
        return "?"

    buffers = list(model.tables(_BUFFERS))
    filled = [buffer.vector(0, 1)[1] > 0 or buffer.number(1, "Q") > 1 for buffer in buffers]
    constant = [filled[tensor.number(2, "I")] for tensor in tensors]
    entry = int(graph.numbers(_INPUTS, "i4")[0])
    first, first_range = None, None
    for operator, inputs in zip(operators, reads, strict=True):
        kind = kinds[operator.number(0, "I")]
        if entry not in inputs[:2]:
            continue
        if kind in _PASSING:
            entry = int(operator.numbers(2, "i4")[0])
            if kind == _QUANTIZE and first_range is None:
                first_range = _range(tensors[entry])
            continue
        others = [index for index in inputs if index >= 0 and constant[index]]
        if _KINDS.get(kind) in _SCALING and others:
            first = FirstScaling(_KINDS[kind], _first_number(tensors[others[0]], buffers))
        break
    outputs = graph.numbers(_OUTPUTS, "i4")[:_MOST_PORTS]
    ends = {tensors[int(index)].text(3): last_operator(int(index)) for index in outputs}
    ports = [tensors[int(index)] for index in (*graph.numbers(_INPUTS, "i4")[:_MOST_PORTS], *outputs)]
    quantization = {tensor.text(3): found for tensor in ports if (found := _quantization(tensor)) is not None}
    return GraphFacts(
        last_operators=ends,
        first_scaling=first,
        first_range=first_range,
        custom_operators=tuple(code.text(1) for code, kind in zip(codes, kinds, strict=True) if kind == _CUSTOM),
        quantization=quantization,
    )


def _range(tensor: Table) -> tuple[float, float] | None:
    """Return the smallest and the largest number that a quantized tensor can hold."""
    found, limits = _quantization(tensor), _LIMITS.get(tensor.number(1, "b"))
    if found is None or limits is None:
        return None
    scale, zero_point = found
    return (limits[0] - zero_point) * scale, (limits[1] - zero_point) * scale


def _quantization(tensor: Table) -> tuple[float, int] | None:
    """Return scale and zero point of a tensor that has one of each."""
    quantization = tensor.table(4)
    if quantization is None:
        return None
    scales, zero_points = quantization.numbers(2, "f4"), quantization.numbers(3, "i8")
    return (float(scales[0]), int(zero_points[0])) if len(scales) == len(zero_points) == 1 and scales[0] > 0 else None


def _first_number(tensor: Table, buffers: Sequence[Table]) -> float | None:
    """Return the first number of a constant; None where it is not float32, or is behind the flatbuffer."""
    start, count = buffers[tensor.number(2, "I")].vector(0, 1)
    if tensor.number(1, "b") != _FLOAT32 or count < 4:
        return None
    return float(struct.unpack_from("<f", tensor.content, start)[0])


def _kind(code: Table) -> int:
    """Return the number of a builtin operator; those above 126 are only in the newer of two fields."""
    return max(code.number(0, "b"), code.number(3, "i"))


def _metadata(content: bytes, model: Table) -> FileMetadata:
    """Read what the TFLite Metadata says of the first input and the first output."""
    try:
        entry = next((entry for entry in model.tables(_METADATA) if entry.text(0) == _METADATA_NAME), None)
        if entry is None:
            return FileMetadata()
        start, count = list(model.tables(_BUFFERS))[entry.number(1, "I")].vector(0, 1)
        graph = next(Table.root(bytes(model.content[start : start + count])).tables(3), None)
        if graph is None:
            return FileMetadata()
        image, answer = next(graph.tables(2), None), next(graph.tables(3), None)
        scaling, grey = (None, None) if image is None else _image(image)
        text = None if answer is None else _labels_file(content, answer)
    except ModelError:
        raise
    except (ValueError, IndexError, struct.error, OverflowError):
        return FileMetadata()
    own = ultralytics_metadata(_entries(text), source="TFLite Metadata")
    return own or FileMetadata(_lines(text), scaling, grey, source="TFLite Metadata")


def _image(tensor: Table) -> tuple[PixelScaling | None, bool | None]:
    content = tensor.table(3)
    grey = None
    if content is not None and content.number(0, "B") == _IMAGE_PROPERTIES:
        properties = content.table(1)
        space = 0 if properties is None else properties.number(0, "b")
        grey = None if space == 0 else space == _GREY
    for unit in tensor.tables(4):
        options = unit.table(1)
        if unit.number(0, "B") == _NORMALIZATION and options is not None:
            means = [float(value) for value in options.numbers(0, "f4")]
            stds = [float(value) for value in options.numbers(1, "f4")]
            if len(means) in (1, 3) and len(stds) in (1, 3) and min(stds) > 0:
                count = max(len(means), len(stds))
                means, stds = (values * (count // len(values)) for values in (means, stds))
                pairs = list(zip(means, stds, strict=True))
                return PixelScaling(tuple(1 / std for _, std in pairs), tuple(-mean / std for mean, std in pairs)), grey
    return None, grey


def _labels_file(content: bytes, tensor: Table) -> bytes | None:
    """Read the file that has the labels of an output."""
    for file in islice(tensor.tables(6), _MOST_FILES):
        if file.number(2, "b") == _TENSOR_AXIS_LABELS:
            text = read_associated_file(content, file.text(0))
            if text is not None:
                return text
    return None


def _lines(text: bytes | None) -> tuple[str, ...] | None:
    if text is None:
        return None
    lines = text.decode("utf-8", "replace")
    with contextlib.suppress(InputError):
        return parse_labels(lines, source="labels")
    return tuple(line.strip() for line in lines.splitlines() if line.strip())


def _entries(text: bytes | None) -> Mapping[str, Any]:
    """Read a dictionary, in JSON or as Python writes it; empty where it is something else."""
    if text is None or not text.lstrip().startswith(b"{"):
        return {}
    try:
        entries = json.loads(text)
    except (ValueError, RecursionError):
        entries = parsed(text.decode("utf-8", "replace"))
    return entries if isinstance(entries, dict) else {}
