"""Put labels and manifest inside a TFLite file, in the form of the official TFLite Metadata.

MediaPipe Tasks, Android and others read the metadata flatbuffer (`metadata_schema.fbs`, version 1.5.0, of TensorFlow
Lite Support) and the label file that it names; edgecnn reads its manifest, an associated file beside the labels.
Associated files are an uncompressed zip behind the model.
"""

import dataclasses
import io
import zipfile
import zlib
from collections.abc import Mapping
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from edgecnn_export.tflite.flatbuffer import pack, unpack
from edgecnn_runtime.manifest import TFLITE_FILE, Colour, Manifest
from edgecnn_runtime.model_files.whole import sealed

LABEL_FILE = "labels.txt"

_METADATA_NAME = b"TFLITE_METADATA"
# Every field written here exists since the first version of the metadata schema.
_MIN_PARSER_VERSION = "1.0.0"
# Members of the schema's enums and unions.
_TENSOR_AXIS_LABELS = 2
_COLOUR_SPACE = {Colour.RGB: 1, Colour.GREY: 2}
_FEATURE_PROPERTIES, _IMAGE_PROPERTIES = 1, 2
_NORMALIZATION_OPTIONS = 1


def embed_in_tflite(content: bytes, manifest: Manifest) -> bytes:
    """Return the TFLite file with named tensors, official metadata, labels and the manifest."""
    model = unpack(content)
    subgraph = model.subgraphs[0]
    subgraph.tensors[subgraph.inputs[0]].name = b"pixels"
    subgraph.tensors[subgraph.outputs[0]].name = b"probabilities"
    metadata = schema.MetadataT()
    metadata.name, metadata.buffer = _METADATA_NAME, len(model.buffers)
    model.metadata = [*(entry for entry in model.metadata or [] if entry.name != _METADATA_NAME), metadata]
    buffer = schema.BufferT()
    buffer.data = np.frombuffer(_metadata(manifest), np.uint8)
    model.buffers.append(buffer)
    packed = pack(model)
    manifest = dataclasses.replace(manifest, content_crc32=None)
    files = {LABEL_FILE: "\n".join(manifest.labels) + "\n", TFLITE_FILE: sealed(manifest, zlib.crc32(packed))}
    return _append_files(packed, files)


def _append_files(content: bytes, files: Mapping[str, str]) -> bytes:
    """Append an uncompressed zip, with fixed times so that the same model gives the same bytes."""
    stream = io.BytesIO(content)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0)), text)
    return stream.getvalue()


def _metadata(manifest: Manifest) -> bytes:
    """Write the ModelMetadata flatbuffer; a table's field numbers are those of the schema."""
    builder = flatbuffers.Builder(1024)
    height, width, _ = manifest.input.shape
    size = _table(builder, {0: ("Uint32", width), 1: ("Uint32", height)})
    image = _table(builder, {0: ("Int8", _COLOUR_SPACE[manifest.input.colour]), 1: ("table", size)})
    pixels = _tensor(
        builder,
        name="pixels",
        description="The image, 0…255. The scaling is inside the model.",
        content=_table(builder, {0: ("Uint8", _IMAGE_PROPERTIES), 1: ("table", image)}),
        # (pixel - 0) / 1: what the readers of float models insist on being told.
        process_units=[_normalization(builder, mean=0.0, std=1.0)],
        value_range=(0.0, 255.0),
    )
    labels = _table(
        builder,
        {0: ("table", builder.CreateString(LABEL_FILE)), 2: ("Int8", _TENSOR_AXIS_LABELS)},
    )
    probabilities = _tensor(
        builder,
        name="probabilities",
        description="The probability of each label.",
        content=_table(builder, {0: ("Uint8", _FEATURE_PROPERTIES), 1: ("table", _table(builder, {}))}),
        associated_files=[labels],
        value_range=(0.0, 1.0),
    )
    inputs, outputs = _vector(builder, [pixels]), _vector(builder, [probabilities])
    subgraph = _table(builder, {2: ("table", inputs), 3: ("table", outputs)})
    fields = {
        0: ("table", builder.CreateString(manifest.name)),
        1: (
            "table",
            builder.CreateString(f"Image classifier, {len(manifest.labels)} classes, {manifest.scheme}"),
        ),
        3: ("table", _vector(builder, [subgraph])),
        7: ("table", builder.CreateString(_MIN_PARSER_VERSION)),
    }
    if manifest.licence is not None:
        fields[5] = ("table", builder.CreateString(manifest.licence))
    builder.Finish(_table(builder, fields), b"M001")
    return bytes(builder.Output())


def _tensor(
    builder: Any,
    *,
    name: str,
    description: str,
    content: int,
    value_range: tuple[float, float],
    process_units: list[int] | None = None,
    associated_files: list[int] | None = None,
) -> int:
    low, high = value_range
    fields = {
        0: ("table", builder.CreateString(name)),
        1: ("table", builder.CreateString(description)),
        3: ("table", content),
        5: (
            "table",
            _table(builder, {0: ("table", _floats(builder, high)), 1: ("table", _floats(builder, low))}),
        ),
    }
    if process_units:
        fields[4] = ("table", _vector(builder, process_units))
    if associated_files:
        fields[6] = ("table", _vector(builder, associated_files))
    return _table(builder, fields)


def _normalization(builder: Any, *, mean: float, std: float) -> int:
    options = _table(builder, {0: ("table", _floats(builder, mean)), 1: ("table", _floats(builder, std))})
    return _table(builder, {0: ("Uint8", _NORMALIZATION_OPTIONS), 1: ("table", options)})


def _table(builder: Any, fields: Mapping[int, tuple[str, int]]) -> int:
    """Write a table from `{field number: (kind, value or offset)}`; everything it points to is written already."""
    builder.StartObject(max(fields, default=-1) + 1)
    for number, (kind, value) in fields.items():
        if kind == "table":
            builder.PrependUOffsetTRelativeSlot(number, value, 0)
        else:
            getattr(builder, f"Prepend{kind}Slot")(number, value, 0)
    offset: int = builder.EndObject()
    return offset


def _vector(builder: Any, offsets: list[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    vector: int = builder.EndVector()
    return vector


def _floats(builder: Any, *values: float) -> int:
    vector: int = builder.CreateNumpyVector(np.array(values, np.float32))
    return vector
