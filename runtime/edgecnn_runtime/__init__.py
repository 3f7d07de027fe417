"""The device side of edgecnn: open a model file, classify images.

    from edgecnn_runtime import Classifier

    classifier = Classifier.open("mnist_int8.tflite")
    print(classifier.predict("photo.jpg").label)

Importing this package loads numpy and nothing heavier; an interpreter is loaded when a model is opened,
Pillow when an image is decoded, what is for streams when it is first asked for.
"""

import os
from typing import TYPE_CHECKING, Any

# ONNX Runtime's own wheels for Linux and macOS write an identifier of the device and send events to Microsoft, unless
# this is set before they are loaded (Privacy.md in the wheel of 1.31). Who has set it to something else keeps that.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

from edgecnn_runtime.classifier import Classifier, Mode
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
from edgecnn_runtime.version import __version__

if TYPE_CHECKING:
    from edgecnn_runtime.contract import Contract, Fact, Origin
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
    "Prediction",
    "Resize",
    "Smoothing",
    "SourceError",
    "StreamResult",
    "__version__",
    "stream",
]

# Names that no program needs before its first label, each with its module: a device pays for each at every start.
_LATER = {
    "Contract": "contract",
    "Fact": "contract",
    "Origin": "contract",
    "Smoothing": "video.smoothing",
    "StreamResult": "video.stream",
    "stream": "video.stream",
}


def __getattr__(name: str) -> Any:
    """Import one of these names when it is first asked for (PEP 562)."""
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f"{__name__}.{_LATER[name]}"), name)
    return value
