"""The device side of edgecnn: open a model file, classify images.

    from edgecnn_runtime import Classifier

    classifier = Classifier.open("mnist_int8.tflite")
    print(classifier.predict("photo.jpg").label)

Importing this package loads nothing; `Classifier` loads numpy, an interpreter is loaded when a model is opened, Pillow
when an image is decoded.
"""

import importlib
import os
from typing import TYPE_CHECKING, Any

# ONNX Runtime's own wheels for Linux and macOS write an identifier of the device and send events to Microsoft, unless
# this is set before they are loaded (Privacy.md in the wheel of 1.31). Who has set it to something else keeps that.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

if TYPE_CHECKING:
    from edgecnn_runtime.classifier import Classifier, Mode
    from edgecnn_runtime.contract import Contract, Fact, Origin
    from edgecnn_runtime.errors import (
        EdgecnnError,
        GateError,
        ImageError,
        InputError,
        MissingExtraError,
        ModelError,
        SourceError,
    )
    from edgecnn_runtime.manifest import Colour, Decode, InputSpec, Manifest, Resize
    from edgecnn_runtime.prediction import Prediction
    from edgecnn_runtime.third_party_models.pixel_ranges import PixelRangeError
    from edgecnn_runtime.version import __version__
    from edgecnn_runtime.video.smoothing import Smoothing
    from edgecnn_runtime.video.stream import StreamResult, stream

__all__ = [
    "Classifier",
    "Colour",
    "Contract",
    "Decode",
    "EdgecnnError",
    "Fact",
    "GateError",
    "ImageError",
    "InputError",
    "InputSpec",
    "Manifest",
    "MissingExtraError",
    "Mode",
    "ModelError",
    "Origin",
    "PixelRangeError",
    "Prediction",
    "Resize",
    "Smoothing",
    "SourceError",
    "StreamResult",
    "__version__",
    "stream",
]

# Where each name is. A device pays for a module at every start, and every module below runs this file first.
_HOMES = {
    "classifier": ("Classifier", "Mode"),
    "contract": ("Contract", "Fact", "Origin"),
    "errors": (
        "EdgecnnError", "GateError", "ImageError", "InputError", "MissingExtraError", "ModelError", "SourceError",
    ),
    "manifest": ("Colour", "Decode", "InputSpec", "Manifest", "Resize"),
    "prediction": ("Prediction",),
    "third_party_models.pixel_ranges": ("PixelRangeError",),
    "version": ("__version__",),
    "video.smoothing": ("Smoothing",),
    "video.stream": ("StreamResult", "stream"),
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Import a name when it is first asked for (PEP 562)."""
    home = next((module for module, names in _HOMES.items() if name in names), None)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(importlib.import_module(f"{__name__}.{home}"), name)
    return value
