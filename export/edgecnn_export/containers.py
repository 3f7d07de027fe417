"""What export and inspection need of a container, and the containers that there are.

A new one is a folder with a `container.py`, one row in `CONTAINERS`, and its formats in `formats.FORMATS`.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from edgecnn_export.formats import Format
from edgecnn_export.int8.quantizable import Quantizer
from edgecnn_export.model_graph import ModelContents
from edgecnn_export.onnx.container import ONNX
from edgecnn_export.signing import SigningKey
from edgecnn_export.tflite.container import TFLITE
from edgecnn_runtime.manifest import Manifest, Scheme
from edgecnn_runtime.model_formats import ModelFormat

if TYPE_CHECKING:
    import keras


class Conversion(Protocol):
    """One trained network, on its way into the files of one container; conversions are done once, when asked for.

    Raises:
        GateError: the converter does not take the network.
        MissingExtraError: a converter or an interpreter is not installed.
    """

    def file(self, scheme: Scheme) -> bytes:
        """Return the file of a scheme that needs no calibration, without its manifest."""

    def quantizer(self, fmt: Format) -> Quantizer:
        """Return what makes the files of a format of this container that needs calibration."""


class Container(Protocol):
    """A file format for models, such as TFLite."""

    format: ClassVar[ModelFormat]  # its name, suffix and title, and how the runtime reads it

    def convert(
        self, model: "keras.Model", *, biases_learnt: bool = False, opset: int, reduce_range: bool
    ) -> Conversion:
        """Begin the conversion of a network.

        Args:
            model: float32 pixels 0…255 in, probabilities out.
            biases_learnt: its weights come from quantization-aware training.
            opset: of ONNX.
            reduce_range: integer weights of 7 bits, in ONNX.
        """

    def embed(self, content: bytes, manifest: Manifest) -> bytes:
        """Return a file with its manifest and labels."""

    def sign(self, content: bytes, key: SigningKey) -> bytes:
        """Return a file of `embed` with a signature at its end."""

    def read(self, path: Path) -> ModelContents:
        """Read a file, ours or anybody's.

        Raises:
            ModelError: of another format or damaged.
            MissingExtraError: the package that reads this format is not installed.
        """

    def kernels(self, content: bytes) -> list[tuple[str, NDArray[Any]]]:
        """Return the name and the values of each kernel that a file holds, output channels first."""

    def arena_bytes(self, content: bytes, scheme: Scheme) -> int | None:
        """Return the RAM that a file of a scheme needs on a microcontroller; None where it runs on none."""

    def on_other_kernels(self, model: Path, scheme: Scheme, images: NDArray[np.uint8]) -> NDArray[np.float32] | None:
        """Return the probabilities that another set of kernels on this machine gives, `(N, classes)`.

        Args:
            model: a file.
            scheme: of the file.
            images: uint8 `(N, height, width, channels)`.

        Returns:
            None where no other kernels run it, or they give the same but for the order of their sums.
        """


CONTAINERS: Mapping[str, Container] = {TFLITE.format.suffix: TFLITE, ONNX.format.suffix: ONNX}
