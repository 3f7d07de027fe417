"""The device side of edgecnn: open a model file, classify images.

    from edgecnn_runtime import Classifier

    classifier = Classifier.open("mnist_int8.tflite")
    print(classifier.predict("photo.jpg").label)

Importing this package loads numpy and nothing heavier; an interpreter is loaded when a model is opened,
Pillow when an image is decoded.
"""

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
from edgecnn_runtime.smoothing import Smoothing
from edgecnn_runtime.stream import StreamResult, stream
from edgecnn_runtime.version import __version__

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
