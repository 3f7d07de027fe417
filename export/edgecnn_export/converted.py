"""A trained model in float32 TFLite and ONNX, converted once however many files are made of it."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from edgecnn_export.formats import Format
from edgecnn_runtime.errors import EdgecnnError, GateError
from edgecnn_runtime.manifest import Scheme
from edgecnn_runtime.system.native_output import native_output_kept

if TYPE_CHECKING:
    import keras
    import onnx

    from edgecnn_export.onnx.graph import OnnxGraph
    from edgecnn_export.tflite.graph import TFLiteGraph


@contextlib.contextmanager
def told_by_converter() -> Iterator[None]:
    """Keep what a converter prints, and tell what it refuses as a `GateError`."""
    try:
        with native_output_kept():
            yield
    except (EdgecnnError, OSError, MemoryError):
        raise
    # Converters, quantizers and checkers raise anything over an operator that they do not know.
    except Exception as error:
        says = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise GateError(
            f"expected a network that the converter takes; it says: {says.rstrip('.')}; export another format, or "
            "build the network without that"
        ) from error


@dataclass(frozen=True)
class Converted:
    """What the formats are made of; the converters are loaded with the first file of their kind."""

    model: "keras.Model"  # float32 pixels 0…255 in, probabilities out
    opset: int

    @cached_property
    def tflite(self) -> "TFLiteGraph":
        """The float32 TFLite file."""
        from edgecnn_export.tflite.convert import export_tflite
        from edgecnn_export.tflite.graph import TFLiteGraph

        with told_by_converter():
            return TFLiteGraph(export_tflite(self.model, Scheme.FLOAT32))

    @cached_property
    def onnx(self) -> "onnx.ModelProto":
        """The float32 ONNX model."""
        from edgecnn_export.onnx.convert import checked, convert_onnx

        with told_by_converter():
            converted = convert_onnx(self.model, opset=self.opset)
            checked(converted)
        return converted

    @cached_property
    def quantizable_onnx(self) -> "OnnxGraph":
        """The float32 ONNX model, prepared for quantization."""
        from edgecnn_export.onnx.convert import quantizable_onnx

        with told_by_converter():
            return quantizable_onnx(self.onnx)

    def file(self, fmt: Format) -> bytes:
        """Return the file of a format that is not calibrated."""
        if fmt.suffix == ".tflite":
            from edgecnn_export.tflite.convert import export_tflite

            if fmt.scheme is Scheme.FLOAT32:
                return self.tflite.content
            with told_by_converter():
                return export_tflite(self.model, fmt.scheme)
        from edgecnn_export.onnx.convert import checked, to_float16

        with told_by_converter():
            return checked(to_float16(self.onnx) if fmt.scheme is Scheme.FLOAT16 else self.onnx)
