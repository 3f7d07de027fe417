"""Weights behind the flatbuffer, where LiteRT's quantizer puts those of larger models."""

from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from tiny_classifier import RGB_16, tiny_classifier

from edgecnn_export.tflite.flatbuffer import pack, unpack
from edgecnn_runtime.backends.litert import LiteRTBackend
from edgecnn_runtime.golden import golden_images


def _with_weights_behind(content: bytes) -> bytes:
    """Move the largest buffer behind the flatbuffer, at a multiple of 16."""
    model = unpack(content)
    buffer = max(model.buffers, key=lambda one: 0 if one.data is None else len(one.data))
    weights = bytes(buffer.data)
    # Any other two numbers take as much room, so that the length is known once they are there.
    buffer.data, buffer.offset, buffer.size = None, 16, len(weights)
    buffer.offset = -(-len(pack(model)) // 16) * 16
    front = pack(model)
    return front + bytes(buffer.offset - len(front)) + weights


def test_weights_behind_the_flatbuffer_are_read_and_written_inside(tmp_path: Path) -> None:
    whole = tiny_classifier(tmp_path / "whole.tflite")
    behind = _with_weights_behind(whole.read_bytes())
    (tmp_path / "behind.tflite").write_bytes(behind)
    raw = schema.ModelT.InitFromPackedBuf(behind, 0)
    assert sum(buffer.offset > 1 for buffer in raw.buffers) == 1
    inside = pack(unpack(behind))
    assert not any(buffer.offset for buffer in schema.ModelT.InitFromPackedBuf(inside, 0).buffers)
    (tmp_path / "inside.tflite").write_bytes(inside)
    rows = [
        LiteRTBackend(tmp_path / f"{name}.tflite").infer(golden_images(RGB_16))
        for name in ("whole", "behind", "inside")
    ]
    np.testing.assert_array_equal(rows[0], rows[1])
    np.testing.assert_array_equal(rows[0], rows[2])
