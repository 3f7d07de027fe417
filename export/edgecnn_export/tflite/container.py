"""TFLite, as export and inspection see it: a `containers.Container`. What does the work is loaded when it is used."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.formats import Format, Io
from edgecnn_export.int8.activation_statistics import only_in_float
from edgecnn_export.int8.quantizable import FloatOperator, Statistics
from edgecnn_export.keras_on_tensorflow import converting
from edgecnn_export.model_graph import ModelContents
from edgecnn_export.proof.inference import infer_in_subprocess
from edgecnn_export.signing import SigningKey
from edgecnn_export.tflite.arena import measure_arena
from edgecnn_runtime.errors import ModelError
from edgecnn_runtime.manifest import SIGNATURE_CHARACTERS, TFLITE_FILE, Manifest, Scheme
from edgecnn_runtime.model_files.tflite_file import SIGNATURE_FRAME
from edgecnn_runtime.model_formats import MODEL_FORMATS, ModelFormat

if TYPE_CHECKING:
    import keras

    from edgecnn_export.tflite.graph import TFLiteGraph

# Of the activations of integer files.
_BITS = {Scheme.INT8: 8, Scheme.INT16X8: 16}
# Kernels that round each in their own way: XNNPACK's differ from CPU to CPU, and from TFLite's reference.
_ROUNDED = (Scheme.DYNAMIC, Scheme.INT8)


@dataclass(frozen=True)
class TFLiteQuantizer:
    """Integer TFLite of one network: an `int8.quantizer.Quantizer`."""

    graph: "TFLiteGraph"
    bits: int  # of the activations, 8 or 16
    io: Io = Io.UINT8
    biases_learnt: bool = False  # the weights come from quantization-aware training
    suffix: ClassVar[str] = MODEL_FORMATS["tflite"].suffix

    def without_integer_form(self, statistics: Statistics) -> tuple[FloatOperator, ...]:
        """Return what must stay float32; nothing where the file is to be for processors that know integers only."""
        from edgecnn_export.tflite.quantize import without_integer_form

        if self.io is not Io.UINT8:
            only_in_float(self.graph, statistics)
            return ()
        with converting():
            return without_integer_form(self.graph, statistics, bits=self.bits)

    def file(self, statistics: Statistics, in_float: Sequence[FloatOperator]) -> bytes:
        """Quantize it, but for some operators."""
        from edgecnn_export.tflite.quantize import quantize

        with converting():
            return quantize(
                self.graph,
                statistics,
                bits=self.bits,
                io=self.io,
                in_float=in_float,
                biases_learnt=self.biases_learnt,
            )


@dataclass(frozen=True)
class TFLiteConversion:
    """One trained network in TFLite; the float32 file is converted once, however many files are made of it."""

    model: "keras.Model"
    biases_learnt: bool

    @cached_property
    def graph(self) -> "TFLiteGraph":
        """The float32 file."""
        from edgecnn_export.tflite.convert import export_tflite
        from edgecnn_export.tflite.graph import TFLiteGraph

        with converting():
            return TFLiteGraph(export_tflite(self.model, Scheme.FLOAT32))

    def file(self, scheme: Scheme) -> bytes:
        """Return the file of a scheme that needs no calibration."""
        from edgecnn_export.tflite.convert import export_tflite

        if scheme is Scheme.FLOAT32:
            return self.graph.content
        with converting():
            return export_tflite(self.model, scheme)

    def quantizer(self, fmt: Format) -> TFLiteQuantizer:
        """Return what makes the integer files of a format."""
        return TFLiteQuantizer(self.graph, _BITS[fmt.scheme], fmt.io, self.biases_learnt)


class TFLiteContainer:
    """TFLite files."""

    format: ClassVar[ModelFormat] = MODEL_FORMATS["tflite"]

    def convert(
        self, model: "keras.Model", *, biases_learnt: bool = False, opset: int = 0, reduce_range: bool = False
    ) -> TFLiteConversion:
        """Return the network in TFLite; `opset` and `reduce_range` are ONNX's."""
        del opset, reduce_range
        return TFLiteConversion(model, biases_learnt)

    def embed(self, content: bytes, manifest: Manifest) -> bytes:
        """Return the file with its manifest, labels and official metadata."""
        from edgecnn_export.tflite.manifest import embed_in_tflite

        return embed_in_tflite(content, manifest)

    def sign(self, content: bytes, key: SigningKey) -> bytes:
        """Return the file with a signature as the comment of its zip, the length of which is in the bytes before."""
        length = len(SIGNATURE_FRAME) + SIGNATURE_CHARACTERS
        return key.sign(content[:-2] + struct.pack("<H", length), SIGNATURE_FRAME)

    def read(self, path: Path) -> ModelContents:
        """Read any TFLite file."""
        from edgecnn_export.tflite.read_graph import read_tflite
        from edgecnn_export.tflite.read_metadata import read_tflite_metadata
        from edgecnn_runtime.model_files.tflite_file import read_associated_file

        try:
            manifest = read_associated_file(path.read_bytes(), TFLITE_FILE)
        except ModelError as error:
            raise ModelError(f"{path}: {error}") from error
        return ModelContents(read_tflite(path), manifest, metadata=read_tflite_metadata(path))

    def kernels(self, content: bytes) -> list[tuple[str, NDArray[Any]]]:
        """Return the kernels of convolutions and dense layers, as the file holds them."""
        from edgecnn_export.tflite.flatbuffer import kernels

        return kernels(content)

    def arena_bytes(self, content: bytes, scheme: Scheme) -> int | None:
        """Return the arena of a file of integers in TFLite-Micro, where that is installed and runs it."""
        return measure_arena(content) if scheme is Scheme.INT8 else None

    def on_other_kernels(self, model: Path, scheme: Scheme, images: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Return what LiteRT's reference kernels give, for a scheme whose kernels round differently."""
        if scheme not in _ROUNDED:
            return None
        try:
            return infer_in_subprocess(model, images, reference=True)
        except ModelError:
            # Reference kernels have fewer operators than the optimized ones, and take fewer scales.
            return None


TFLITE = TFLiteContainer()
