"""ONNX, as export and inspection see it: a `containers.Container`. What does the work is loaded when it is used."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.formats import USUAL_OPSET, Format
from edgecnn_export.int8.activation_statistics import only_in_float
from edgecnn_export.int8.quantizable import FloatOperator, Statistics
from edgecnn_export.keras_on_tensorflow import converting
from edgecnn_export.model_graph import ModelContents
from edgecnn_export.signing import SigningKey
from edgecnn_runtime.manifest import ONNX_KEY, Manifest, Scheme
from edgecnn_runtime.model_files.onnx_file import SIGNATURE_FRAME
from edgecnn_runtime.model_formats import MODEL_FORMATS, ModelFormat

if TYPE_CHECKING:
    import keras
    import onnx

    from edgecnn_export.onnx.graph import OnnxGraph


@dataclass(frozen=True)
class OnnxQuantizer:
    """QDQ ONNX of one network: an `int8.quantizer.Quantizer`."""

    graph: "OnnxGraph"
    reduce_range: bool = False  # see `quantize`
    biases_learnt: bool = False  # the weights come from quantization-aware training
    suffix: ClassVar[str] = MODEL_FORMATS["onnx"].suffix

    def without_integer_form(self, statistics: Statistics) -> tuple[FloatOperator, ...]:
        """Return what only float32 can show; where ONNX Runtime has no integer form, it leaves an operator alone."""
        return only_in_float(self.graph, statistics)

    def file(self, statistics: Statistics, in_float: Sequence[FloatOperator]) -> bytes:
        """Quantize it, but for some operators."""
        from edgecnn_export.onnx.convert import checked
        from edgecnn_export.onnx.quantize import quantize

        with converting():
            return checked(
                quantize(
                    self.graph,
                    statistics,
                    reduce_range=self.reduce_range,
                    in_float=in_float,
                    biases_learnt=self.biases_learnt,
                )
            )


@dataclass(frozen=True)
class OnnxConversion:
    """One trained network in ONNX; it is converted to float32 once, however many files are made of it."""

    model: "keras.Model"
    biases_learnt: bool
    opset: int
    reduce_range: bool

    @cached_property
    def float32(self) -> "onnx.ModelProto":
        """The float32 model."""
        from edgecnn_export.onnx.convert import checked, convert_onnx

        with converting():
            converted = convert_onnx(self.model, opset=self.opset)
            checked(converted)
        return converted

    @cached_property
    def graph(self) -> "OnnxGraph":
        """The float32 model, prepared for quantization."""
        from edgecnn_export.onnx.convert import quantizable_onnx

        with converting():
            return quantizable_onnx(self.float32)

    def file(self, scheme: Scheme) -> bytes:
        """Return the file of a scheme that needs no calibration."""
        from edgecnn_export.onnx.convert import checked, to_float16

        written = {Scheme.FLOAT32: lambda model: model, Scheme.FLOAT16: to_float16}
        with converting():
            return checked(written[scheme](self.float32))

    def quantizer(self, fmt: Format) -> OnnxQuantizer:
        """Return what makes the integer files of a format, of which there is one."""
        del fmt
        return OnnxQuantizer(self.graph, self.reduce_range, self.biases_learnt)


class OnnxContainer:
    """ONNX files."""

    format: ClassVar[ModelFormat] = MODEL_FORMATS["onnx"]

    def convert(
        self,
        model: "keras.Model",
        *,
        biases_learnt: bool = False,
        opset: int = USUAL_OPSET,
        reduce_range: bool = False,
    ) -> OnnxConversion:
        """Return the network in ONNX."""
        return OnnxConversion(model, biases_learnt, opset, reduce_range)

    def embed(self, content: bytes, manifest: Manifest) -> bytes:
        """Return the file with its manifest and labels."""
        from edgecnn_export.onnx.manifest import embed_in_onnx

        return embed_in_onnx(content, manifest)

    def sign(self, content: bytes, key: SigningKey) -> bytes:
        """Return the file with a signature as the last of its `metadata_props`."""
        return key.sign(content, SIGNATURE_FRAME)

    def read(self, path: Path) -> ModelContents:
        """Read any ONNX file."""
        from edgecnn_export.onnx.read_graph import read_onnx

        graph, properties = read_onnx(path)
        return ModelContents(graph, properties.get(ONNX_KEY))

    def kernels(self, content: bytes) -> list[tuple[str, NDArray[Any]]]:
        """Return the kernels of convolutions and dense layers, as the file holds them."""
        from edgecnn_export.onnx.graph import kernels

        return kernels(content)

    def arena_bytes(self, content: bytes, scheme: Scheme) -> None:
        """Return nothing: no microcontroller runs ONNX."""
        del content, scheme

    def on_other_kernels(self, model: Path, scheme: Scheme, images: NDArray[np.uint8]) -> None:
        """Return nothing: ONNX Runtime has one set of kernels."""
        del model, scheme, images


ONNX = OnnxContainer()
