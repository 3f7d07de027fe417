"""How an ONNX graph begins and ends, and what its `metadata_props` say, without the package onnx.

Field numbers are those of `onnx.proto3`.
"""

import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

import numpy as np

from edgecnn_runtime.label_files import labels_of_properties
from edgecnn_runtime.model_files.graph_facts import FileMetadata, FirstScaling, GraphFacts
from edgecnn_runtime.model_files.protobuf import Field, fields, varint
from edgecnn_runtime.model_files.ultralytics import ultralytics_metadata
from edgecnn_runtime.pixel_scaling import PixelScaling

_GRAPH, _METADATA = 7, 14
_NODE, _INITIALIZER, _INPUT, _OUTPUT = 1, 5, 11, 12
_PASSING = frozenset({"Reshape", "Squeeze", "Unsqueeze", "Flatten", "Cast", "Identity", "Dropout"})
_QUANTIZING = frozenset({"QuantizeLinear", "DequantizeLinear"})
_SCALING = frozenset({"Add", "Mul", "Sub", "Div", "BatchNormalization"})
_FUNCTION = 25  # of a model; its name and domain are the fields 1 and 10
# Domains whose operators ONNX Runtime has.
_DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft", "ai.onnx.preview", "org.pytorch.aten")
# By the standard's names for what pixels 0…255 become.
_PIXEL_RANGES = {
    "NominalRange_0_255": PixelScaling(),
    "Normalized_0_1": PixelScaling((1 / 255,)),
    "Normalized_1_1": PixelScaling((1 / 127.5,), (-1.0,)),
}
_INT8 = 3  # of TensorProto's data types
_EXTERNAL = 13  # of a TensorProto: where its values are
_STEPS = 20
_SOURCE = "metadata_props"
_BYTES = 255  # steps of a QuantizeLinear; what needs half as many grey levels or more is no pixel of 0…1
# TensorProto's data types of scales, zero points and what pixels are scaled by.
_DTYPES = {1: "<f4", 2: "u1", 3: "i1", 4: "<u2", 5: "<i2", 6: "<i4", 7: "<i8", 10: "<f2", 11: "<f8"}


def read_onnx_facts(content: bytes) -> GraphFacts:
    """Read an `.onnx` file; nothing is known of a damaged one, which the interpreter refuses anyway."""
    props: dict[str, str] = {}
    graph, functions = None, set()
    try:
        for field in fields(content):
            if field.number == _GRAPH:
                graph = field
            elif field.number == _FUNCTION:
                functions.add(_named(content, field, 10))
            elif field.number == _METADATA:
                entry = {part.number: _text(content, part.start, part.end) for part in fields(content, *_span(field))}
                props[entry.get(1, "")] = entry.get(2, "")
        if graph is None:
            return GraphFacts()
        metadata = ultralytics_metadata(props, source=_SOURCE) or _metadata(props)
        return _facts(content, graph, metadata, own_domains=functions)
    except (ValueError, IndexError, struct.error, RecursionError):
        return GraphFacts()


def _facts(content: bytes, graph: Field, metadata: FileMetadata, *, own_domains: Collection[str]) -> GraphFacts:
    nodes: list[_Node] = []
    inputs: list[str] = []
    outputs: list[str] = []
    constants: dict[str, tuple[int, int]] = {}
    for field in fields(content, *_span(graph)):
        if field.number == _NODE:
            nodes.append(_node(content, *_span(field)))
            if nodes[-1].constant is not None:
                constants |= dict.fromkeys(nodes[-1].made, nodes[-1].constant)
        elif field.number in (_INPUT, _OUTPUT):
            (inputs if field.number == _INPUT else outputs).append(_named(content, field, 1))
        elif field.number == _INITIALIZER:
            constants[_named(content, field, 8)] = _span(field)
    known = constants.keys() | {output for node in nodes if node.kind == "Constant" for output in node.made}
    makers = {output: (node.kind, node.read) for node in nodes for output in node.made}

    def last_operator(name: str) -> str:
        for _ in range(_STEPS):
            if name not in makers:
                return "the input"
            kind, read = makers[name]
            # The biases behind a MatMul.
            if kind == "Add" and any(part in known for part in read):
                name = next((part for part in read if part not in known), "")
                continue
            if kind not in _PASSING | _QUANTIZING or not read:
                return kind
            name = read[0]
        return "?"

    quantized = {}
    for name in outputs:
        kind, read = makers.get(name, ("", []))
        if kind == "QuantizeLinear" and len(read) > 1 and read[1] in constants:
            scale = _scalar(content, *constants[read[1]])
            zero = _scalar(content, *constants[read[2]]) if len(read) > 2 and read[2] in constants else 0
            if scale is not None and zero is not None:
                quantized[name] = (scale, int(zero))
    fed = [name for name in inputs if name not in known]
    return GraphFacts(
        last_operators={name: last_operator(name) for name in outputs},
        first_scaling=_first_scaling(content, nodes, fed, known, constants),
        first_range=_first_range(content, nodes, fed, constants),
        custom_operators=tuple(
            dict.fromkeys(
                f"{node.domain}.{node.kind}" for node in nodes if node.domain not in (*_DOMAINS, *own_domains)
            )
        ),
        quantization=quantized,
        metadata=metadata,
    )


def _first_scaling(
    content: bytes,
    nodes: list["_Node"],
    inputs: list[str],
    known: Collection[str],
    constants: Mapping[str, tuple[int, int]],
) -> FirstScaling | None:
    if not inputs:
        return None
    pixels = inputs[0]
    for node in nodes:
        if pixels not in node.read or not node.made:
            continue
        if node.kind == "QuantizeLinear" and len(node.read) > 1 and node.read[1] in constants:
            widest = _BYTES * (_scalar(content, *constants[node.read[1]]) or 0)
            if widest > _BYTES / 2:
                return FirstScaling(node.kind, widest)
        if node.kind in ("Cast", "Reshape", "Transpose", "Identity", *_QUANTIZING):
            pixels = node.made[0]
            continue
        # Of a BatchNormalization the mean follows scale and offset.
        others = [name for name in node.read if name != pixels][2 if node.kind == "BatchNormalization" else 0 :]
        if node.kind not in _SCALING or not others or others[0] not in known:
            return None
        number = _scalar(content, *constants[others[0]]) if others[0] in constants else None
        return FirstScaling(node.kind, number)
    return None


def _first_range(
    content: bytes, nodes: list["_Node"], inputs: list[str], constants: Mapping[str, tuple[int, int]]
) -> tuple[float, float] | None:
    """Return the smallest and the largest number that a QuantizeLinear behind the input tells apart."""
    name = next(iter(inputs), "")
    for node in nodes:
        if name not in node.read or not node.made:
            continue
        if node.kind == "QuantizeLinear" and all(part in constants for part in node.read[1:3]):
            scale = _scalar(content, *constants[node.read[1]])
            zero = _scalar(content, *constants[node.read[2]]) if len(node.read) > 2 else 0
            signed = len(node.read) > 2 and _element_type(content, *constants[node.read[2]]) == _INT8
            lowest = -128 if signed else 0
            # A symmetric range of 0…1 reaches from -1 to 1, too.
            if scale is None or zero is None or (signed and zero == 0):
                return None
            return (lowest - zero) * scale, (lowest + _BYTES - zero) * scale
        if node.kind not in ("Cast", "Reshape", "Transpose", "Identity"):
            return None
        name = node.made[0]
    return None


@dataclass(frozen=True)
class _Node:
    kind: str
    read: list[str]
    made: list[str]
    constant: tuple[int, int] | None = None  # where the tensor of a Constant is
    domain: str = ""


def _node(content: bytes, start: int, end: int) -> _Node:
    kind, domain, read, made, constant = "", "", [], [], None
    for field in fields(content, start, end):
        if field.number == 1:
            read.append(_text(content, *_span(field)))
        elif field.number == 2:
            made.append(_text(content, *_span(field)))
        elif field.number == 4:
            kind = _text(content, *_span(field))
        elif field.number == 7:
            domain = _text(content, *_span(field))
        elif field.number == 5:
            constant = next((_span(part) for part in fields(content, *_span(field)) if part.number == 5), constant)
    return _Node(kind, read, made, constant if kind == "Constant" else None, domain)


def _element_type(content: bytes, start: int, end: int) -> int:
    """Return the number of a TensorProto's data type."""
    return next((field.value for field in fields(content, start, end) if field.number == 2), 0)


def _scalar(content: bytes, start: int, end: int) -> float | None:
    """Return the first value of a TensorProto; None where there is none, or it is in another file."""
    parts = {field.number: field for field in reversed(list(fields(content, start, end)))}
    dtype = np.dtype(_DTYPES[parts[2].value]) if 2 in parts and parts[2].value in _DTYPES else None
    if dtype is None or _EXTERNAL in parts:
        return None
    # Raw bytes; or a list of floats, of doubles, of integers of up to 32 or of 64 bits.
    for number, stored in ((9, dtype), (4, np.dtype("<f4")), (10, np.dtype("<f8"))):
        if number in parts and parts[number].end - parts[number].start >= stored.itemsize:
            return float(np.frombuffer(content, stored, 1, parts[number].start)[0])
    for number in (5, 7):
        if number in parts and parts[number].end > parts[number].start:
            value, _ = varint(content, *_span(parts[number]))
            if dtype == np.float16:  # its bits
                return float(np.uint16(value & 0xFFFF).view(np.float16))
            return float(value - 2**64 if value >= 2**63 else value)
    return None


def _metadata(props: Mapping[str, str]) -> FileMetadata:
    """Read what the properties say of labels and pixels.

    `Image.*` are those of the standard (docs/MetadataProps.md of ONNX), which Azure Custom Vision writes.
    """
    scaling = _PIXEL_RANGES.get(props.get("Image.NominalPixelRange", ""))
    pixels = props.get("Image.BitmapPixelFormat", "").lower()
    return FileMetadata(
        labels_of_properties(props),
        None if scaling is None else replace(scaling, bgr=pixels.startswith("bgr")),
        pixels.startswith("gray") if pixels else None,
        source=_SOURCE,
    )


def _named(content: bytes, field: Field, number: int) -> str:
    """Return the name that a message has in the field of a number."""
    name = next((part for part in fields(content, *_span(field)) if part.number == number), None)
    return "" if name is None else _text(content, *_span(name))


def _span(field: Field) -> tuple[int, int]:
    return field.start, field.end


def _text(content: bytes, start: int, end: int) -> str:
    return content[start:end].decode("utf-8", "replace")
