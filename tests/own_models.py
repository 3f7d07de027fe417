"""Small model files with everything that exported ones carry, written without TensorFlow."""

from pathlib import Path

from small_onnx import small_onnx
from third_party_models import ThirdParty, write_tflite

from edgecnn_runtime import Classifier
from edgecnn_runtime.manifest import Colour, InputSpec, Manifest, Scheme


def own_tflite(path: Path) -> Path:
    """Write a TFLite file as the exporter does."""
    from edgecnn_export.tflite.manifest import embed_in_tflite

    plain = write_tflite(path, ThirdParty())
    manifest = Manifest("tiny", ("ant", "bee", "cat"), InputSpec(5, 4, Colour.RGB), Scheme.FLOAT32)
    path.write_bytes(embed_in_tflite(plain.read_bytes(), manifest))
    return path


def own_onnx(path: Path) -> Path:
    """Write an ONNX file as the exporter does."""
    from edgecnn_export.onnx.manifest import embed_in_onnx

    manifest = Classifier.open(small_onnx(path)).manifest
    small_onnx(path, manifest=False)
    path.write_bytes(embed_in_onnx(path.read_bytes(), manifest))
    return path


OWN = {".tflite": own_tflite, ".onnx": own_onnx}
